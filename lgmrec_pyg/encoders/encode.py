import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from lgmrec_pyg.encoders.cache import EmbeddingCache
from lgmrec_pyg.encoders.contents import content_digest, list_contents
from lgmrec_pyg.evaluation.positive import positive_integer

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
    lost.

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
        ValueError: If :obj:`contents` is a single one, if :obj:`batch_size` is no
            positive integer, or if the encoder is no function, has no :obj:`name`
            to cache by, or does not return finite features, one row per content.
    """
    batch_size = positive_integer('batch_size', batch_size)
    if not callable(encoder):
        raise ValueError(
            f"'encoder' needs to be a function that takes in a list of contents, such "
            f"as 'SentenceEncoder()' (got {encoder!r:.50})"
        )
    values = list_contents(contents)
    if getattr(encoder, 'takes_paths', False):  # A string is a text otherwise.
        values = [Path(x) if isinstance(x, str) else x for x in values]
    digests = [content_digest(value) for value in values]
    distinct = dict(zip(digests, values, strict=True))
    if not distinct:
        return torch.empty(0, 0)
    with ExitStack() as stack:
        store = None
        if cache is not None:
            store = stack.enter_context(EmbeddingCache(cache, _name_of(encoder)))
        rows = _encode(distinct, encoder, batch_size, store, progress)
    sizes = {x.numel() for x in rows.values()}
    if len(sizes) > 1:
        raise ValueError(
            f"'encoder' needs to return equally many features for all contents (got "
            f'{sorted(sizes)})'
        )
    return torch.stack([rows[digest] for digest in digests])


def _encode(
    contents: dict[bytes, Any],
    encoder: Encoder,
    batch_size: int,
    cache: EmbeddingCache | None,
    progress: bool,
) -> dict[bytes, Tensor]:
    rows: dict[bytes, Tensor] = {}
    if cache is not None:
        for digest in contents:
            x = cache.get(digest)
            if x is not None:
                rows[digest] = x
    missing = [digest for digest in contents if digest not in rows]
    with tqdm(
        desc='Encoding', total=len(contents), initial=len(rows), disable=not progress
    ) as bar:
        for start in range(0, len(missing), batch_size):
            batch = missing[start : start + batch_size]
            x = _check(encoder([contents[digest] for digest in batch]), len(batch))
            if cache is not None:
                cache.put(batch, x)
            rows.update(zip(batch, x, strict=True))
            bar.update(len(batch))
    return rows


def _check(out: Any, num_rows: int) -> Tensor:
    try:
        x = torch.as_tensor(out)
        if x.is_complex():
            raise TypeError(f'of {x.dtype}')
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"'encoder' needs to return equally long rows of real numbers, one per "
            f'content (got {type(out).__name__}: {error})'
        ) from error
    if x.dim() != 2 or x.size(0) != num_rows or x.size(1) == 0:
        raise ValueError(
            f"'encoder' needs to return one row of features per content, of shape "
            f'[{num_rows}, *] (got {list(x.size())})'
        )
    x = x.float().cpu().clone()  # The encoder may use its memory again.
    if not x.isfinite().all():
        row = int((~x.isfinite()).any(dim=1).nonzero()[0])
        raise ValueError(
            f"'encoder' needs to return finite features (got others for content {row} "
            f'of {num_rows})'
        )
    return x


def _name_of(encoder: Encoder) -> str:
    name = getattr(encoder, 'name', None)
    if not isinstance(name, str) or name == '':
        raise ValueError(
            f"'encoder' needs to have a 'name', a string that tells it apart in the "
            f'cache (got {name!r})'
        )
    return name
