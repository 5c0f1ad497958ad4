r"""What can be encoded, and what tells it apart."""

import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

CHUNK_SIZE = 2**20


def list_contents(contents: Any) -> list[Any]:
    r"""Returns contents in a list.

    Args:
        contents (List[Any] or Dict[Any, Any]): The contents, possibly by id.

    Raises:
        ValueError: If it is a single content, or one without an order.
    """
    if isinstance(contents, Mapping):
        return list(contents.values())
    # Iterated, these would be characters, names of columns, or in any order.
    if (
        isinstance(contents, (str, bytes, set, frozenset))
        or hasattr(contents, 'columns')
        or not isinstance(contents, Iterable)
    ):
        raise ValueError(
            f"'contents' needs to be a list of contents, or a dictionary of them by "
            f'id (got {type(contents).__name__} {contents!r:.50})'
        )
    return list(contents)


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
