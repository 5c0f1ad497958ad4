import os
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from lgmrec_pyg.storage._reading import reading
from lgmrec_pyg.storage.atomic import atomic_write
from lgmrec_pyg.storage.digest import digest

DIGEST = 'lgmrec_pyg.digest'
NEEDS = "an undamaged file in the format of 'safetensors'"


def save_tensors(
    tensors: dict[str, Tensor],
    path: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
) -> None:
    r"""Saves tensors in the format of :obj:`safetensors`, completely or not at
    all, and with a digest, by which :func:`load_tensors` sees any damage.

    It is the entry :obj:`"lgmrec_pyg.digest"` of the metadata, over the tensors and
    all other entries.

    Args:
        tensors (Dict[str, torch.Tensor]): The tensors, on any device.
        path (str or os.PathLike): The path of the file.
        metadata (Dict[str, str], optional): What to store besides.
            (default: :obj:`None`)

    Raises:
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        RuntimeError: If a tensor is sparse.
        ValueError: If a name is no valid Unicode.
    """
    # Clones, since the format has no views, nor tensors that share memory.
    tensors = {
        name: tensor.detach().cpu().clone().contiguous()
        for name, tensor in tensors.items()
    }
    metadata = {k: x for k, x in (metadata or {}).items() if k != DIGEST}
    # Not 'save_file', which hides the number of an error, such as of a full disk.
    content = save(tensors, {DIGEST: digest((tensors, metadata)), **metadata})
    with atomic_write(path) as partial, open(partial, 'wb') as file:
        file.write(content)


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Loads what is stored besides the tensors, which alone shows no damage to
    its values.

    Args:
        path (str or os.PathLike): The path of the file.

    Raises:
        ValueError: See :func:`load_tensors`.
    """
    with reading(path, NEEDS), _opened(path) as file:
        metadata = file.metadata() or {}
    return {key: x for key, x in metadata.items() if key != DIGEST}


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
    return read_tensors(path, checked)[0]


def read_tensors(
    path: str | os.PathLike[str], checked: bool = True
) -> tuple[dict[str, Tensor], dict[str, str]]:
    r"""Reads the tensors of a file, and what is stored besides."""
    with reading(path, NEEDS), _opened(path) as file:
        metadata = file.metadata() or {}
        # Copied, for the file may be replaced or shortened later.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        expected = metadata.pop(DIGEST, None)
        if expected is None and checked:
            raise ValueError(f"it lacks the digest of 'save_tensors', '{DIGEST}'")
        if expected is not None and expected != digest((tensors, metadata)):
            raise ValueError('its digest differs')
    return tensors, metadata


def _opened(path: str | os.PathLike[str]) -> Any:
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError('it is no regular file')  # A pipe would keep us waiting.
    open(path, 'rb').close()  # Its errors name the file, unlike those below.
    return safe_open(path, framework='pt')
