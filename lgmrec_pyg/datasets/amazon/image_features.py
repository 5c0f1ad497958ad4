import os
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

NUM_FEATURES = 4_096
RECORD = np.dtype([('asin', 'S10'), ('x', '<f4', (NUM_FEATURES,))])
BLOCK_SIZE = 64


def convert_image_features(
    source: str, target: str, asins: Sequence[str], progress: bool = True
) -> int:
    r"""Converts an :obj:`image_features_*.b` file, in which a record is a product
    code of ten characters and 4,096 little-endian single-precision numbers, to a
    :obj:`.npy` file with one row per item.

    Rows of items without an image hold :obj:`nan`. Both files are streamed: no
    more than a megabyte of them is in memory at a time.

    Args:
        source (str): The path of the :obj:`image_features_*.b` file.
        target (str): The path of the :obj:`.npy` file.
        asins (List[str]): The unique product codes of the items.
        progress (bool, optional): If set to :obj:`False`, will not show a
            progress bar. (default: :obj:`True`)

    Returns:
        The number of items with an image.

    Raises:
        ValueError: If the file is damaged, naming the record.
    """
    rows = {asin.encode(): row for row, asin in enumerate(asins)}
    with open(target, 'wb') as file:
        header = {'descr': '<f4', 'fortran_order': False}
        header['shape'] = (len(asins), NUM_FEATURES)
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()

        def write(row: int, x: np.ndarray) -> None:
            file.seek(start + row * x.nbytes)
            file.write(x.tobytes())

        for number, asin, x in _read_records(source, progress):
            row = rows.pop(asin, None)  # Of repeated records, the first one counts.
            if row is not None:
                if not np.isfinite(x).all():
                    raise _damage(source, number, 'holds numbers that are not finite')
                write(row, x)
        for row in rows.values():
            write(row, np.full(NUM_FEATURES, np.nan, dtype='<f4'))
    return len(asins) - len(rows)


def find_image_features_problem(path: str) -> str | None:
    r"""Returns what is wrong with an :obj:`image_features_*.b` file, if its size
    or its first record tell.

    Args:
        path (str): The path of the file.
    """
    size = os.path.getsize(path)
    if size == 0 or size % RECORD.itemsize != 0:
        return f'{size:,} bytes are no multiple of {RECORD.itemsize:,}'
    with open(path, 'rb') as file:
        asin = file.read(10)
    return None if asin.isalnum() else f'it starts with {asin!r}'


def _read_records(path: str, progress: bool) -> Iterator[tuple[int, bytes, np.ndarray]]:
    block = np.empty(BLOCK_SIZE, dtype=RECORD)
    number = 0
    with (
        open(path, 'rb') as file,
        tqdm(
            desc=os.path.basename(path),
            total=os.path.getsize(path),
            unit='B',
            unit_scale=True,
            disable=not progress,
        ) as bar,
    ):
        while size := file.readinto(block.view(np.uint8).data):
            num_records, rest = divmod(size, RECORD.itemsize)
            asins = block['asin'][:num_records].tolist()
            for asin, x in zip(asins, block['x'], strict=False):
                if len(asin) != 10 or not asin.isalnum():
                    raise _damage(path, number, f'starts with {asin!r}')
                yield number, asin, x
                number += 1
            if rest != 0:
                raise _damage(path, number, 'is incomplete')
            bar.update(size)


def _damage(path: str, number: int, problem: str) -> ValueError:
    return ValueError(
        f"'{path}' is damaged (record {number} {problem}): delete it, and get it again"
    )
