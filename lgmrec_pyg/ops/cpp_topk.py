import torch
from torch import Tensor

from lgmrec_pyg.ops._extension import extension, has_extension

# For fewer users, laying out the items anew costs more than it saves.
MIN_USERS = 64
NO_ROWS = [0, 0]  # Null pointers.
MAX_SCORE = 1e30  # Scores far from it neither overflow nor are NaN.


@torch.compiler.disable
def can_rank(user_emb: Tensor, item_emb: Tensor) -> bool:
    r"""Whether :func:`cpp_topk` takes these embeddings, and is the faster way."""
    if not has_extension() or user_emb.size(0) < MIN_USERS:
        return False
    if not all(x.is_cpu and x.dtype == torch.float32 for x in (user_emb, item_emb)):
        return False
    return bool(user_emb.norm() * item_emb.norm() < MAX_SCORE)


@torch.compiler.disable  # Native code: the compiler cannot see what it writes.
def cpp_topk(
    user_emb: Tensor, item_emb: Tensor, k: int, exclude: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    r"""The loops in C++ behind :func:`~lgmrec_pyg.evaluation.topk` on CPU; see there
    for arguments and result. No score is stored, the items are once more. Of equal
    scores, those of the first items count.
    """
    user_emb, item_emb = user_emb.contiguous(), item_emb.contiguous()
    library = extension()
    score = user_emb.new_full((user_emb.size(0), k), -float('inf'))
    index = torch.full_like(score, -1, dtype=torch.long)
    scratch = item_emb.new_empty(library.topk_scratch(*item_emb.size()))
    rows = [] if exclude is None else [x.long().contiguous() for x in exclude]
    library.topk(
        user_emb.data_ptr(),
        item_emb.data_ptr(),
        user_emb.size(0),
        *item_emb.size(),
        k,
        *([x.data_ptr() for x in rows] or NO_ROWS),
        torch.get_num_threads(),
        scratch.data_ptr(),
        score.data_ptr(),
        index.data_ptr(),
    )
    return score, index
