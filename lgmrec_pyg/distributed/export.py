import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.distributed.evaluation import own_users
from lgmrec_pyg.graph import INTERACTS, ITEM, LABELS, USER, IdMap, training_pairs
from lgmrec_pyg.ops.processes import Parallel
from lgmrec_pyg.recommend import Recommender


@torch.no_grad()
def own_recommender(
    user_emb: Tensor, item_emb: Tensor, data: HeteroData, here: Parallel
) -> Recommender:
    r"""Ranks all items for the users of this process: every process exports its own,
    none holds those of all.

    .. code-block:: python

        recommender = own_recommender(*model.embed(*inputs), data, here)
        recommender.to_parquet(f'top20/{here.rank}.parquet')

    Shared by columns, embeddings that stand side by side come in another order of
    columns than from one process, the same for users and items.

    Args:
        user_emb (torch.Tensor): The embeddings that this process holds of users.
        item_emb (torch.Tensor): Those that it holds of items.
        data (HeteroData): The graph of training.
        here (Parallel): The processes.
    """
    user_emb, item_emb = own_users(user_emb, item_emb, here)
    start, stop = here.bounds(data[USER].num_nodes)
    pairs = [training_pairs(data)]
    pairs += [data[INTERACTS][name] for name in LABELS if name in data[INTERACTS]]
    seen = torch.cat(pairs, dim=1)
    seen = seen[:, (seen[0] >= start) & (seen[0] < stop)]
    seen = torch.stack([seen[0] - start, seen[1]])
    user_ids = IdMap.of(data, USER).ids[start:stop]
    return Recommender(user_emb, item_emb, user_ids, IdMap.of(data, ITEM), seen)
