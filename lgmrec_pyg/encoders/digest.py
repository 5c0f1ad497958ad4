import os
from hashlib import sha256
from typing import Any

import torch
from torch import nn

CHUNK_SIZE = 2**20


def content_digest(content: Any) -> bytes:
    r"""Returns the SHA-256 digest of a content: equal contents have equal ones.

    Args:
        content (str or bytes or os.PathLike or PIL.Image.Image): The content. A
            path stands for the bytes of its file.

    Raises:
        ValueError: If it is something else.
    """
    if isinstance(content, str):
        return sha256(b'text:' + content.encode(errors='surrogatepass')).digest()
    if isinstance(content, bytes):
        return sha256(b'data:' + content).digest()
    if isinstance(content, os.PathLike):
        digest = sha256(b'data:')
        with open(content, 'rb') as file:
            while chunk := file.read(CHUNK_SIZE):
                digest.update(chunk)
        return digest.digest()
    if hasattr(content, 'tobytes') and hasattr(content, 'getpalette'):
        kind = (content.mode, content.size, content.getpalette())
        return sha256(f'image:{kind}:'.encode() + content.tobytes()).digest()
    raise ValueError(
        f"'contents' needs to hold strings, bytes, paths or PIL images (got "
        f'{type(content).__name__})'
    )


def weights_digest(module: nn.Module) -> str:
    r"""Returns a short digest of the layers and the weights of a module.

    Args:
        module (torch.nn.Module): The module.
    """
    digest = sha256(repr(module).encode())  # What has no weights, such as pooling.
    for name, value in module.state_dict().items():
        digest.update(f'{name}:{value.dtype}:{list(value.shape)}:'.encode())
        digest.update(
            value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        )
    return digest.hexdigest()[:16]
