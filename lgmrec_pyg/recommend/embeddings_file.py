import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.storage.tensors import load_metadata, load_tensors, save_tensors

FORMAT, VERSION = 'lgmrec_pyg.embeddings', '2'


def save_embeddings(
    path: str | os.PathLike[str],
    user_emb: Tensor,
    item_emb: Tensor,
    users: IdMap,
    items: IdMap,
    seen: Tensor,
) -> None:
    r"""Saves embeddings and ids in the format of :obj:`safetensors`.

    The file holds the tensors :obj:`user_emb` and :obj:`item_emb`, the pairs
    :obj:`seen`, and the ids of users and items: integers as :obj:`user_ids`, and
    strings as their UTF-8 bytes one after the other in :obj:`user_ids.bytes`,
    where the :math:`n`-th id ends before :obj:`user_ids.ends[n]`.

    Args:
        path (str or os.PathLike): The path of the file.
        user_emb (torch.Tensor): The user embeddings.
        item_emb (torch.Tensor): The item embeddings.
        users (IdMap): The ids of the users.
        items (IdMap): The ids of the items.
        seen (torch.Tensor): The pairs :obj:`(user, item)` of indices.

    Raises:
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
    """
    tensors = {
        'user_emb': user_emb,
        'item_emb': item_emb,
        'seen': seen,
        **_encode_ids('user_ids', users),
        **_encode_ids('item_ids', items),
    }
    save_tensors(tensors, path, {'format': FORMAT, 'version': VERSION})


def load_embeddings(path: str | os.PathLike[str]) -> dict[str, Any]:
    r"""Loads the arguments of :class:`~lgmrec_pyg.recommend.Embeddings`.

    Args:
        path (str or os.PathLike): The path of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or in another format.
    """
    path = os.fspath(path)
    metadata = load_metadata(path)
    if metadata.get('format') != FORMAT:
        raise ValueError(
            f"'{path}' needs to be of the format '{FORMAT}' (got "
            f'{metadata.get("format")!r:.50})'
        )
    if metadata.get('version') != VERSION:
        raise ValueError(
            f"'{path}' is of version {metadata.get('version')!r:.50}, and this package "
            f'reads version {VERSION}: use the release that wrote it, or save them anew'
        )
    tensors = load_tensors(path, checked=True)
    try:
        return {
            'user_emb': _tensor(tensors, 'user_emb'),
            'item_emb': _tensor(tensors, 'item_emb'),
            'seen': _tensor(tensors, 'seen'),
            'user_ids': _decode_ids('user_ids', tensors),
            'item_ids': _decode_ids('item_ids', tensors),
        }
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' is damaged ({error})") from error


def _encode_ids(name: str, ids: IdMap) -> dict[str, Tensor]:
    values = ids.ids
    if len(values) == 0 or not isinstance(values[0], str):
        return {name: torch.tensor(values, dtype=torch.long)}
    parts = [value.encode('utf-8', 'surrogatepass') for value in values]
    ends = torch.from_numpy(np.cumsum([len(part) for part in parts], dtype=np.int64))
    content = np.frombuffer(b''.join(parts), dtype=np.uint8).copy()
    return {f'{name}.bytes': torch.from_numpy(content), f'{name}.ends': ends}


def _decode_ids(name: str, tensors: dict[str, Tensor]) -> IdMap:
    if name in tensors:
        return IdMap(_tensor(tensors, name, torch.long, 1))
    content = _tensor(tensors, f'{name}.bytes', torch.uint8, 1).numpy().tobytes()
    ends = _tensor(tensors, f'{name}.ends', torch.long, 1)
    begins = torch.cat([ends.new_zeros(1), ends])[:-1]
    if (ends <= begins).any() or ends.numel() == 0 or int(ends[-1]) != len(content):
        raise ValueError(f"'{name}.ends' needs to ascend to {len(content)}")
    slices = zip(begins.tolist(), ends.tolist(), strict=True)
    return IdMap([content[a:b].decode('utf-8', 'surrogatepass') for a, b in slices])


def _tensor(
    tensors: dict[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    dim: int | None = None,
) -> Tensor:
    if name not in tensors:
        raise ValueError(f"it has no tensor '{name}' (got {sorted(tensors)})")
    out = tensors[name]
    if dtype is not None and (out.dtype != dtype or out.dim() != dim):
        raise ValueError(
            f"'{name}' needs to be of type {dtype} and dimension {dim} (got "
            f'{out.dtype}, {list(out.size())})'
        )
    return out
