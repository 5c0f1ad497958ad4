import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from lgmrec_pyg.encoders.cache import EmbeddingCache
from lgmrec_pyg.evaluation.topk import check_counts
from lgmrec_pyg.storage.digest import digest

Encoder = Callable[[list[Any]], Tensor]


@torch.no_grad()
def encode(
    contents: Sequence[Any] | Mapping[Any, Any],
    encoder: Encoder,
    *,
    batch_size: int = 256,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Tensor:
    r"""Encodes contents, such as texts or images, into features.

    Contents that occur repeatedly are encoded once and, with a :obj:`cache`,
    once and for all: if encoding is interrupted, what was encoded so far is not
    lost. Contents that are missing, or that the encoder cannot read, have features
    of NaN, and a warning names them.

    Args:
        contents (List[Any] or Dict[Any, Any]): The contents, possibly by id:
            strings, bytes, paths of files (:class:`os.PathLike`) or PIL images.
        encoder (callable): A function that takes in a list of contents, and
            returns a tensor with one row per content. To be cached, it needs to
            have a :obj:`name`: a string that tells apart encoders with
            different outputs, which is read once per call.
        batch_size (int, optional): The number of contents to encode at once.
            (default: :obj:`256`)
        cache (str or os.PathLike, optional): The path of the file to keep
            features in, see :class:`EmbeddingCache`. (default: :obj:`None`)
        progress (bool, optional): If set to :obj:`False`, will not show a
            progress bar. (default: :obj:`True`)

    Shapes:
        - **output:** features :math:`(N, F)` in single precision, in the order
          of :obj:`contents`

    Raises:
        ValueError: If :obj:`contents` is a single one, if more than half of them
            cannot be encoded, or if the encoder has no :obj:`name` to cache by, or
            does not return features, one row per content.
    """
    check_counts(batch_size=batch_size)
    values = _as_list(contents)
    if getattr(encoder, 'takes_paths', False):  # A string is a text otherwise.
        values = [Path(x) if isinstance(x, str) else x for x in values]
    reasons: list[Exception] = []
    digests = [_digest(value, reasons) for value in values]
    distinct = {k: x for k, x in zip(digests, values, strict=True) if k is not None}
    rows: dict[Any, Tensor] = {}
    with ExitStack() as stack:
        store = None
        if cache is not None:
            store = stack.enter_context(EmbeddingCache(cache, _name_of(encoder)))
            found = {key: store.get(key) for key in distinct}
            rows |= {key: x for key, x in found.items() if x is not None}
        todo = [key for key in distinct if key not in rows]
        with tqdm(total=len(distinct), initial=len(rows), disable=not progress) as bar:
            for start in range(0, len(todo), batch_size):
                batch = {key: distinct[key] for key in todo[start : start + batch_size]}
                new = _encode_batch(batch, encoder, reasons)
                if store is not None and new:
                    store.put(list(new), torch.stack(list(new.values())))
                rows |= new
                bar.update(len(batch))
    ids = contents if isinstance(contents, Mapping) else range(len(values))
    missing = [x for x, key in zip(ids, digests, strict=True) if key not in rows]
    if missing:
        text = f'{len(missing)} of {len(values)} contents cannot be encoded: '
        text += f'{missing[:5]!r:.200} (at first: {reasons[0]})'
        if 2 * len(missing) > len(values):
            raise ValueError(text) from reasons[0]
        warnings.warn(f'{text}. Their features are NaN', stacklevel=2)
    sizes = {x.numel() for x in rows.values()}
    if len(sizes) > 1:
        raise ValueError(
            f"'encoder' needs to return equally many features for all contents (got "
            f'{sorted(sizes)})'
        )
    nan = torch.full((max(sizes, default=0),), torch.nan)
    out = [rows.get(key, nan) for key in digests]
    return torch.stack(out) if out else torch.empty(0, 0)


def _as_list(contents: Any) -> list[Any]:
    if isinstance(contents, Mapping):
        return list(contents.values())
    # Iterated, these would be characters, names of columns, or in any order.
    wrong = isinstance(contents, (str, bytes, set, frozenset))
    if wrong or hasattr(contents, 'columns') or not isinstance(contents, Iterable):
        raise ValueError(
            f"'contents' needs to be a list of contents, or a dictionary of them by "
            f'id (got {type(contents).__name__} {contents!r:.50})'
        )
    return list(contents)


def _digest(content: Any, reasons: list[Exception]) -> str | None:
    if content is None or content is pd.NA or content != content:
        reasons.append(ValueError('it is missing'))
        return None
    if isinstance(content, os.PathLike):
        try:
            return digest(Path(content).read_bytes())
        except OSError as error:
            reasons.append(error)
            return None
    if isinstance(content, (str, bytes)):
        return digest(content)
    if hasattr(content, 'getpalette'):
        pixels = content.tobytes()
        return digest((content.mode, content.size, content.getpalette(), pixels))
    raise ValueError(
        f"'contents' needs to hold strings, bytes, paths or PIL images (got "
        f'{type(content).__name__})'
    )


def _encode_batch(
    batch: dict[str, Any], encoder: Encoder, reasons: list[Exception]
) -> dict[str, Tensor]:
    try:
        out = encoder(list(batch.values()))
    except (OSError, ValueError) as error:  # Of which of them?
        if len(batch) == 1:
            reasons.append(error)
            return {}
        halves: dict[str, Tensor] = {}
        for keys in np.array_split(list(batch), 2):
            half = {key: batch[key] for key in keys.tolist()}
            halves |= _encode_batch(half, encoder, reasons)
        return halves
    x = torch.as_tensor(out)
    if x.dim() != 2 or x.size(0) != len(batch) or x.size(1) == 0 or x.is_complex():
        raise ValueError(
            f"'encoder' needs to return one row of features per content, of shape "
            f'[{len(batch)}, *] (got {x.dtype} of shape {list(x.size())})'
        )
    x = x.float().cpu().clone()  # The encoder may use its memory again.
    rows = {k: x for k, x in zip(batch, x, strict=True) if x.isfinite().all()}
    if len(rows) < len(batch):
        reasons.append(ValueError("'encoder' returned features that are not finite"))
    return rows


def _name_of(encoder: Encoder) -> str:
    name = getattr(encoder, 'name', None)
    if not isinstance(name, str) or name == '':
        raise ValueError(
            f"'encoder' needs to have a 'name', a string that tells it apart in the "
            f'cache (got {name!r})'
        )
    return name
