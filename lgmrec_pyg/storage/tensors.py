import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lgmrec_pyg.storage.atomic import atomic_write

DTYPES = {
    torch.float64: 'F64',
    torch.float32: 'F32',
    torch.float16: 'F16',
    torch.bfloat16: 'BF16',
    torch.int64: 'I64',
    torch.int32: 'I32',
    torch.int16: 'I16',
    torch.int8: 'I8',
    torch.uint8: 'U8',
    torch.bool: 'BOOL',
}
DIGEST, ZEROS = 'lgmrec_pyg.sha256', 64 * '0'
BEGIN = f'{{"__metadata__": {{"{DIGEST}": "'.encode()
MAX_HEADER = 100_000_000
PICKLES = (b'PK\x03\x04', b'\x80\x02', b'\x80\x03', b'\x80\x04', b'\x80\x05')


def serialize(
    tensors: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> Iterator[Any]:
    r"""Yields the bytes of a file in the format of :obj:`safetensors`, one tensor
    at a time.

    :meth:`safetensors.torch.save_file` is not used since it refuses tensors that
    share memory, reports a full disk without its error number, and leaves files
    of its own in the folder when killed.

    Args:
        tensors (Dict[str, torch.Tensor]): The tensors, on any device.
        metadata (Dict[str, str], optional): What to store besides.
            (default: :obj:`None`)

    Raises:
        ValueError: If a tensor has a type that the format lacks, or if names and
            metadata exceed 100 MB or are no valid Unicode.
    """
    header: dict[str, Any] = {'__metadata__': metadata} if metadata else {}
    # Aligned, since wider elements come first.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    end = 0
    for name in names:
        tensor = tensors[name]
        if tensor.dtype not in DTYPES or tensor.layout != torch.strided:
            raise ValueError(
                f"'{name}' needs to be a dense tensor of one of "
                f'{[str(dtype) for dtype in DTYPES]} (got {tensor.dtype}, '
                f'{tensor.layout})'
            )
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            'dtype': DTYPES[tensor.dtype],
            'shape': list(tensor.shape),
            'data_offsets': [start, end],
        }
    text = _encode(json.dumps(header, ensure_ascii=False))
    text += b' ' * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ValueError(
            f'Names and metadata need to take up at most {MAX_HEADER} bytes (got '
            f'{len(text)})'
        )
    yield len(text).to_bytes(8, 'little')
    yield text
    for name in names:
        flat = tensors[name].detach().cpu().contiguous().view(-1)
        yield flat.view(torch.uint8).numpy()


def save_tensors(
    tensors: dict[str, Tensor],
    path: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
) -> None:
    r"""Saves tensors in the format of :obj:`safetensors`, completely or not at
    all, and with a digest, by which :func:`load_tensors` sees any damage.

    It is the entry :obj:`"lgmrec_pyg.sha256"` of the metadata: the SHA-256 of the
    whole file with zeros in place of the digest itself.

    Args:
        tensors (Dict[str, torch.Tensor]): The tensors, on any device.
        path (str or os.PathLike): The path of the file.
        metadata (Dict[str, str], optional): What to store besides.
            (default: :obj:`None`)

    Raises:
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        ValueError: See :func:`serialize`.
    """
    digest = hashlib.sha256()
    # First, where it is found again, even if the metadata has one already.
    metadata = {DIGEST: '', **(metadata or {})} | {DIGEST: ZEROS}
    with atomic_write(path) as partial, open(partial, 'wb') as file:
        for chunk in serialize(tensors, metadata):
            digest.update(chunk)
            file.write(chunk)
        file.seek(8 + len(BEGIN))
        file.write(digest.hexdigest().encode())


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Loads what is stored besides the tensors, which alone shows no damage to
    its values.

    Args:
        path (str or os.PathLike): The path of the file.

    Raises:
        ValueError: See :func:`load_tensors`.
    """
    with open_tensors(path) as file:
        metadata = file.metadata() or {}
    return {key: value for key, value in metadata.items() if key != DIGEST}


def load_tensors(
    path: str | os.PathLike[str], checked: bool = False
) -> dict[str, Tensor]:
    r"""Loads the tensors of a file in the format of :obj:`safetensors`, of which
    nothing is executed.

    Args:
        path (str or os.PathLike): The path of the file.
        checked (bool, optional): If set to :obj:`True`, a file without the digest
            that :func:`save_tensors` writes counts as damaged. If there is one, it
            is compared in any case. (default: :obj:`False`)

    Raises:
        ValueError: If the file is damaged, or in another format.
    """
    out = {}
    with open_tensors(path) as file:
        _check_digest(os.fspath(path), checked)
        for name in file.keys():  # noqa: SIM118
            try:  # Copied, for the file may be replaced or shortened later.
                out[name] = file.get_tensor(name).clone()
            except SafetensorError as error:
                raise ValueError(
                    f"'{name}' in '{os.fspath(path)}' is damaged ({error})"
                ) from error
    return out


def open_tensors(path: str | os.PathLike[str]) -> Any:
    r"""Opens a file in the format of :obj:`safetensors`.

    Args:
        path (str or os.PathLike): The path of the file.

    Raises:
        ValueError: See :func:`load_tensors`.
    """
    path = os.fspath(path)
    _check_header(path)
    try:
        return safe_open(path, framework='pt')
    except SafetensorError as error:
        raise ValueError(f"'{path}' is damaged ({error})") from error


def _check_digest(path: str, needed: bool) -> None:
    with open(path, 'rb') as file:
        head, expected = file.read(8 + len(BEGIN)), file.read(len(ZEROS))
        if not head.endswith(BEGIN):
            if needed:
                raise ValueError(f"'{path}' is damaged (it lacks its SHA-256)")
            return
        digest = hashlib.sha256(head + ZEROS.encode())
        while chunk := file.read(2**20):
            digest.update(chunk)
    if digest.hexdigest().encode() != expected:
        raise ValueError(f"'{path}' is damaged (its SHA-256 differs)")


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        near = text[max(error.start - 20, 0) : error.end + 20]
        raise ValueError(
            f'Names and metadata need to be valid Unicode (got half of a surrogate '
            f'pair in {near!r})'
        ) from None


def _check_header(path: str) -> None:
    if not os.path.isfile(path):
        reason = 'it is not a file' if os.path.exists(path) else 'it does not exist'
        raise FileNotFoundError(f"'{path}' cannot be read: {reason}")
    with open(path, 'rb') as file:
        head = file.read(8)
        size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(head, 'little')
    if len(head) == 8 and 2 <= length <= min(size - 8, MAX_HEADER):
        return
    if head.startswith(PICKLES):
        raise ValueError(
            f"'{path}' needs to be in the format of 'safetensors' (got a pickle, which "
            f'may run any code and is not opened)'
        )
    raise ValueError(
        f"'{path}' is damaged, or not in the format of 'safetensors' (a header of "
        f'{length} bytes in a file of {size})'
    )
