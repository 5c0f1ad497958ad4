from typing import Any

from torch import Tensor


def check_embedding(name: str, emb: Any) -> Tensor:
    r"""Returns embeddings that can be ranked, as a contiguous tensor.

    Args:
        name (str): The name of the argument.
        emb (torch.Tensor): The embeddings, with a row per user or item.

    Raises:
        ValueError: If they are no matrix of finite numbers with a row.
    """
    if not isinstance(emb, Tensor):
        raise _not_a_matrix(name, type(emb).__name__)
    if emb.dim() != 2 or emb.size(0) == 0 or not emb.is_floating_point():
        raise _not_a_matrix(name, f'{emb.dtype}, {list(emb.size())}')
    if not bool(emb.isfinite().all()):
        raise ValueError(
            f"'{name}' holds NaN or infinite values: the model diverged, and its "
            f'ranking has no meaning'
        )
    return emb.detach().contiguous()


def like_known(emb: Any, known: Tensor) -> Tensor:
    r"""Returns embeddings of new items in the type and on the device of the known
    ones.

    Args:
        emb (torch.Tensor): The embeddings of new items.
        known (torch.Tensor): The embeddings of known items.

    Raises:
        ValueError: If they are no tensor, or of another width.
    """
    is_tensor = isinstance(emb, Tensor)
    if not is_tensor or emb.dim() != 2 or emb.size(1) != known.size(1):
        got = list(emb.size()) if is_tensor else type(emb).__name__
        raise ValueError(
            f"'item_emb' needs to be a tensor of shape [*, {known.size(1)}] (got {got})"
        )
    return emb.to(known)


def _not_a_matrix(name: str, got: str) -> ValueError:
    return ValueError(
        f"'{name}' needs to be a two-dimensional floating-point tensor with at least "
        f'one row (got {got})'
    )
