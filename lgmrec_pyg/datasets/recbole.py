import os
import os.path as osp
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.described import describe_items
from lgmrec_pyg.datasets.features import add_item_features
from lgmrec_pyg.datasets.frames import read_frame
from lgmrec_pyg.datasets.interactions import graph_from_interactions
from lgmrec_pyg.graph import ITEM, get_ids
from lgmrec_pyg.storage import reading

ITEM_ID = 'item_id:token'
SPLITS = ('train', 'valid', 'test')


def graph_from_recbole(
    folder: str | os.PathLike[str],
    encoder: Callable[[list[str]], Any] | None = None,
    *,
    texts: Sequence[str] = (),
    labels: Sequence[str] | None = None,
    all_items: bool = False,
    cache: str | None = None,
    **kwargs: Any,
) -> HeteroData:
    r"""Builds the multimodal interaction graph of the atomic files of `RecBole
    <https://recbole.io/docs/user_guide/data/atomic_files.html>`_.

    .. code-block:: none

        <folder>/<name>.inter           user_id:token, item_id:token, ...
        <folder>/<name>.item            item_id:token, class:token_seq, ...; optional
        <folder>/<name>.train.inter     instead of the first one, beside
                                        <name>.valid.inter and <name>.test.inter

    where the folder is called :obj:`<name>`. Columns of type :obj:`float_seq` become
    the modality of their name.

    .. code-block:: python

        data = graph_from_recbole(
            'dataset/ml-100k', encoder, texts=['movie_title'], k_core=5
        )

    Args:
        folder (str): The path of the folder.
        encoder (callable, optional): The encoder of the columns :obj:`texts`, as the
            modality :obj:`"text"`. (default: :obj:`None`)
        texts (List[str], optional): The columns of items that are texts, without
            their types. (default: :obj:`()`)
        labels (List[str], optional): The columns of items that become the modality of
            their name, with one column per word. If :obj:`None`, these are all of
            type :obj:`token_seq` but the texts. (default: :obj:`None`)
        all_items (bool, optional): If set to :obj:`True`, will keep items without
            interactions, and those that are filtered out. (default: :obj:`False`)
        cache (str, optional): See
            :meth:`~lgmrec_pyg.datasets.graph_from_movielens`. (default: :obj:`None`)
        **kwargs (optional): See
            :meth:`~lgmrec_pyg.datasets.graph_from_movielens`. If there are
            timestamps, they are used.

    Raises:
        FileNotFoundError: If there are no interactions.
        ValueError: If a file is malformed.
    """
    if (encoder is None) != (len(texts) == 0):
        raise ValueError(f"'encoder' and 'texts' need each other (got {texts!r})")
    folder = osp.expanduser(os.fspath(folder))
    stem = osp.join(folder, osp.basename(osp.abspath(folder)))
    inter, *others = (f'{stem}.{split}.inter' for split in SPLITS)
    if osp.isfile(f'{stem}.inter') or not osp.isfile(inter):
        inter, others = f'{stem}.inter', ['', '']
    val, test = (path if osp.isfile(path) else None for path in others)
    items = _read_items(f'{stem}.item')
    kinds = dict(name.rsplit(':', 1) for name in items.columns)
    listed = labels
    if labels is None:
        listed = [x for x in kinds if kinds[x] == 'token_seq' and x not in texts]
    for name in (*texts, *(listed or ())):
        if not kinds.get(name, '').startswith('token'):
            raise ValueError(
                f"'texts' and 'labels' need to be columns of tokens in '{stem}.item' "
                f'(got {name!r}, where the columns are {kinds})'
            )
    with open(inter, encoding='utf-8-sig') as file:
        has_time = 'timestamp:float' in file.readline()
    options = {
        'rating': 'rating' if kwargs.get('min_rating') is not None else None,
        'timestamp': 'timestamp' if has_time else None,
    }
    data = graph_from_interactions(
        inter,
        catalog=list(items.index) if all_items else None,
        val=val,
        test=test,
        **options | kwargs,
    )
    known = items[items.index.isin(get_ids(data, ITEM))]
    items = (
        known if len(known) > 0 else items
    )  # Of which errors say that none is known.
    vectors = {x: _vectors(items, x) for x in kinds if kinds[x] == 'float_seq'}
    data = add_item_features(data, vectors)
    rows = items[[f'{x}:{kinds[x]}' for x in texts]].to_numpy()
    words = dict(zip(items.index, (' '.join(row).strip() for row in rows), strict=True))
    found = {x: items[f'{x}:{kinds[x]}'].str.split().to_dict() for x in listed or ()}
    return describe_items(data, words, found, encoder, cache)


def _read_items(path: str) -> pd.DataFrame:
    if not osp.isfile(path):
        return pd.DataFrame(columns=[ITEM_ID]).set_index(ITEM_ID)
    frame = read_frame(path, separator='\t', texts=None)[1]
    with reading(path, f"a table with the columns '{ITEM_ID}', ... of RecBole"):
        frame = frame.set_index(ITEM_ID)
        if frame.index.duplicated().any():
            raise ValueError(f'got {frame.index[frame.index.duplicated()][0]!r} twice')
        if not frame.columns.str.contains(':').all():
            raise ValueError(f'got the columns {list(frame.columns)}')
    return frame


def _vectors(items: pd.DataFrame, name: str) -> pd.DataFrame:
    column = items[f'{name}:float_seq']
    return column[column.str.strip() != ''].to_frame()
