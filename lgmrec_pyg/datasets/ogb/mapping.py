import csv
import gzip
import io
import os
import os.path as osp
import zlib
from typing import Any

from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import ITEM, USER, IdMap, as_ids

DAMAGE = (
    EOFError,
    LookupError,
    ValueError,
    csv.Error,
    gzip.BadGzipFile,
    zlib.error,
)
HEADER = ['ent idx', 'ent name']
README = """\
Each `<type>_entidx2name.csv.gz` maps the indices of nodes to their ids: strings
within quotation marks, or integers. Without such a file, the indices are the ids.
"""


def mapping_path(folder: str, node_type: str) -> str:
    return osp.join(folder, 'mapping', f'{node_type}_entidx2name.csv.gz')


def check_ids(data: HeteroData) -> None:
    r"""Refuses ids that :meth:`read_ids` would not read as they are."""
    limit = csv.field_size_limit()
    for node_type in (USER, ITEM):
        ids = data[node_type].get('ids', [])
        for position, id_ in enumerate(as_ids(ids, f'{node_type}.ids').tolist()):
            if isinstance(id_, str) and (len(id_) > limit or '\0' in id_):
                rest = f'... of {len(id_):,} characters' * (len(id_) > limit)
                raise ValueError(
                    f"'{node_type}.ids' needs to hold ids of at most {limit:,} "
                    f"characters, without '\\0' (got {id_[:20]!r}{rest} in position "
                    f'{position})'
                )


def write_mapping(data: HeteroData, folder: str) -> str:
    path = osp.join(folder, 'mapping')
    os.mkdir(path)
    with open(osp.join(path, 'README.md'), 'w') as file:
        file.write(README)
    for node_type in (USER, ITEM):
        if 'ids' in data[node_type]:
            _write_ids(mapping_path(folder, node_type), data[node_type].ids)
    return path


def read_ids(path: str, num_nodes: int) -> list[Any]:
    r"""Reads the ids of nodes, as integers if all of them are whole numbers
    without quotation marks, or as strings otherwise.
    """
    try:
        with gzip.open(path, 'rt', encoding='utf-8', newline='') as file:
            body = file.read().partition('\n')[2]
        rows = [row for row in csv.reader(io.StringIO(body, newline='')) if row]
        names = {int(row[0]): row[1] for row in rows}
        ids: list[Any] = [names[index] for index in range(len(rows))]
        if '"' not in body and all(map(_is_canonical, ids)):
            ids = list(map(int, ids))
        ids = IdMap(ids).ids
    except DAMAGE as error:
        raise ValueError(
            f"'{path}' needs to map each index to a unique id ({error})"
        ) from error
    if len(ids) != num_nodes:
        raise ValueError(
            f"'{path}' needs to hold {num_nodes} ids, one per node (got {len(ids)})"
        )
    return ids


def _write_ids(path: str, ids: list[Any]) -> None:
    with gzip.open(path, 'wt', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator='\n')
        writer.writerows([HEADER, *enumerate(ids)])


def _is_canonical(text: str) -> bool:
    return text.removeprefix('-').isdecimal() and str(int(text)) == text
