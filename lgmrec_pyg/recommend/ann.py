from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lgmrec_pyg.evaluation.csr_rows import check_rows, expand, select_rows
from lgmrec_pyg.evaluation.topk import at_least_single, check_counts, topk
from lgmrec_pyg.recommend.embeddings import rankable

if TYPE_CHECKING:
    from torch_geometric.nn.pool.knn import KNNIndex

CHUNK = 1024
MAX_CANDIDATES = 2048  # What 'faiss' returns at most.
MIN_PER_CELL = 39  # With fewer, 'faiss' warns that cells are ill-defined.
MIN_VISITS = 16


def build_index(
    item_emb: Tensor,
    num_cells: int | None = None,
    num_cells_to_visit: int | None = None,
) -> 'KNNIndex':
    r"""Builds an index that finds most of the items with the highest scores
    without scoring all of them, on top of
    :class:`torch_geometric.nn.pool.knn.KNNIndex` and :obj:`faiss`.

    Items are partitioned into cells by :math:`k`-means, and those in the cells
    closest to a user are scored exactly. Unlike in
    :class:`torch_geometric.nn.pool.ApproxMIPSKNNIndex`, they are not compressed,
    which is both faster and more precise where embeddings fit into memory.

    Args:
        item_emb (torch.Tensor): The item embeddings.
        num_cells (int, optional): The number of cells, at most that of items. If
            :obj:`None`, will use twice the square root of the number of items.
            (default: :obj:`None`)
        num_cells_to_visit (int, optional): The number of cells to visit for a
            user; more of them find more, and take longer. If :obj:`None`, will
            visit every 32nd, but at least 16. (default: :obj:`None`)

    Raises:
        ImportError: If :obj:`faiss` is not installed.
        ValueError: If a number is no positive integer, or if an embedding is NaN or
            infinite.
    """
    item_emb = rankable('item_emb', item_emb)
    num_items = item_emb.size(0)
    if num_cells is None:
        num_cells = max(1, min(2 * int(num_items**0.5), num_items // MIN_PER_CELL))
    if num_cells_to_visit is None:
        num_cells_to_visit = min(num_cells, max(MIN_VISITS, num_cells // 32))
    check_counts(num_cells=num_cells, num_cells_to_visit=num_cells_to_visit)
    try:
        import faiss
    except ImportError as error:
        raise ImportError("'build_index' needs faiss: pip install faiss-cpu") from error
    from torch_geometric.nn.pool.knn import KNNIndex

    emb, dim = item_emb.float().cpu(), item_emb.size(1)
    cells = faiss.IndexIVFFlat(
        faiss.IndexFlatIP(dim), dim, num_cells, faiss.METRIC_INNER_PRODUCT
    )
    cells.nprobe = num_cells_to_visit
    cells.train(emb.numpy())
    index = KNNIndex()
    index.index = cells
    index.add(emb)
    return index


@torch.no_grad()
def ann_topk(
    index: 'KNNIndex',
    user_emb: Tensor,
    item_emb: Tensor,
    k: int,
    exclude: tuple[Tensor, Tensor] | None = None,
    oversample: int = 1,
) -> tuple[Tensor, Tensor]:
    r"""Returns items with high scores for every user, as far as an index finds
    them; their scores are exact. See :meth:`~lgmrec_pyg.evaluation.topk` for the
    exact counterpart.

    As many items more are fetched as a user has excluded. Users for whom that is
    too much for :obj:`faiss`, or not enough, are ranked exactly.

    Args:
        index (KNNIndex): The index of the item embeddings, *e.g.*, that of
            :func:`build_index`, or a
            :class:`torch_geometric.nn.pool.MIPSKNNIndex`.
        user_emb (torch.Tensor): The user embeddings.
        item_emb (torch.Tensor): The item embeddings.
        k (int): The number of items to return, at most the number of items.
        exclude (Tuple[torch.Tensor, torch.Tensor], optional): The items not to
            return for every user in CSR format :obj:`(rowptr, col)`.
            (default: :obj:`None`)
        oversample (int, optional): How many times :obj:`k` items to fetch and
            score exactly. Worth it for an index that compresses items, such as
            :class:`torch_geometric.nn.pool.ApproxMIPSKNNIndex`.
            (default: :obj:`1`)

    Shapes:
        - **input:** user embeddings :math:`(|\mathcal{U}|, d)`,
          item embeddings :math:`(|\mathcal{I}|, d)`
        - **output:** scores :math:`(|\mathcal{U}|, k)`, item indices
          :math:`(|\mathcal{U}|, k)`, filled with :obj:`-inf` and :obj:`-1`

    Raises:
        ValueError: If the index holds another number of items, if a number is no
            positive integer or :obj:`k` more than all items, or if :obj:`exclude` is in
            another format.
    """
    size = getattr(index, 'numel', type(index).__name__)
    if size != item_emb.size(0):
        raise ValueError(
            f"'index' needs to be a 'KNNIndex' of {item_emb.size(0)} items (got {size})"
        )
    check_counts(k=k, oversample=oversample)
    if k > size:
        raise ValueError(f"'k' needs to be at most {size}, all items (got {k})")
    empty = torch.zeros(user_emb.size(0) + 1, dtype=torch.long)
    exclude = (empty, empty[:0]) if exclude is None else exclude
    check_rows(exclude, user_emb.size(0), item_emb.size(0))
    rowptr, col = exclude
    user_emb, item_emb = at_least_single(user_emb, item_emb)
    out_score = user_emb.new_empty((user_emb.size(0), k))
    out_index = torch.empty_like(out_score, dtype=torch.long)
    # The index fetches as many more as anyone in a chunk has excluded.
    degree, order = rowptr.diff().sort(stable=True)
    for count, users in zip(degree.split(CHUNK), order.split(CHUNK), strict=True):
        most = int(count.max()) if count.numel() > 0 else 0
        few = k * oversample + most <= MAX_CANDIDATES
        if few or item_emb.size(0) <= MAX_CANDIDATES:
            rows = select_rows(rowptr, col, users)
            found = _search(index, user_emb[users], item_emb, k, rows, oversample)
            out_score[users], out_index[users] = found
            users = users[found[1][:, -1] < 0]
        if users.numel() > 0:
            found = topk(user_emb, item_emb, k, (rowptr, col), users)
            out_score[users], out_index[users] = found
    return out_score, out_index


def ann_recall(
    index: 'KNNIndex',
    user_emb: Tensor,
    item_emb: Tensor,
    k: int = 20,
    exclude: tuple[Tensor, Tensor] | None = None,
    oversample: int = 1,
) -> float:
    r"""Returns the share of the exact top :obj:`k` that :func:`ann_topk` finds.

    Args:
        index (KNNIndex): The index of the item embeddings.
        user_emb (torch.Tensor): The embeddings of the users to measure it for; a
            sample of a thousand will do.
        item_emb (torch.Tensor): The item embeddings.
        k (int, optional): The number of items. (default: :obj:`20`)
        exclude (Tuple[torch.Tensor, torch.Tensor], optional): See
            :func:`ann_topk`. (default: :obj:`None`)
        oversample (int, optional): See :func:`ann_topk`. (default: :obj:`1`)

    Raises:
        ValueError: See :func:`ann_topk`, or if there is nothing to find: no user,
            or no item that is not excluded.
    """
    _, expected = topk(user_emb, item_emb, k, exclude)
    _, found = ann_topk(index, user_emb, item_emb, k, exclude, oversample)
    if not bool((expected >= 0).any()):
        raise ValueError("'exclude' needs to leave an item to find to any user")
    user = torch.arange(user_emb.size(0), device=expected.device)
    offset = item_emb.size(0) * user.view(-1, 1)
    expected, found = ((x + offset)[x >= 0] for x in (expected, found))
    return float(torch.isin(expected, found).double().mean())


def _search(
    index: 'KNNIndex',
    user_emb: Tensor,
    item_emb: Tensor,
    k: int,
    exclude: tuple[Tensor, Tensor],
    oversample: int,
) -> tuple[Tensor, Tensor]:
    links = expand(*exclude) if exclude[1].numel() > 0 else None
    wanted = min(k * oversample, index.numel)
    query = user_emb.float().contiguous()
    candidate = index.search(query, wanted, exclude_links=links).index
    found = item_emb[candidate.clamp(min=0)]
    score = torch.bmm(found, user_emb.unsqueeze(2)).squeeze(2)
    score = score.masked_fill(candidate < 0, -float('inf'))
    score, best = score.topk(k)
    index_ = candidate.gather(1, best)
    return score, index_.masked_fill_(score == -float('inf'), -1)
