from typing import Any

import torch
from torch.nn.functional import normalize
from torch_geometric.data import HeteroData

from lgmrec_pyg.evaluation import topk
from lgmrec_pyg.graph import ITEM, get_ids, modalities
from lgmrec_pyg.recommend import ItemRegression, Recommender

Ranked = list[tuple[Any, float]]


class NewItem:
    r"""Finds the items that are like a new one, and the users for it, by its features.

    Args:
        data (HeteroData): The graph that the model was trained on, with its raw
            features.
        recommender (Recommender): Its embeddings.

    Raises:
        ValueError: If the graph holds other items.
    """

    def __init__(self, data: HeteroData, recommender: Recommender) -> None:
        ids = get_ids(data, ITEM) or list(range(int(data[ITEM].num_nodes or 0)))
        if ids != recommender.items.ids:
            raise ValueError('The graph needs to hold the items of the embeddings')
        self.recommender = recommender
        self.widths = {name: data[name].num_features for name in modalities(data)}
        self._embed = ItemRegression(data, recommender.item_emb)
        self._directions = normalize(recommender.item_emb.float(), dim=1)

    def __call__(
        self, features: dict[str, list[float]], k: int
    ) -> tuple[Ranked, Ranked]:
        r"""Returns similar items and the users with the highest scores.

        Args:
            features (Dict[str, List[float]]): The features by modality.
            k (int): How many of each.

        Raises:
            ValueError: If features do not match those of the graph.
        """
        widths = {name: len(x) for name, x in features.items()}
        if not widths.items() <= self.widths.items():
            raise ValueError(
                f"'features' needs to hold rows of the widths {self.widths}, or some "
                f'of them (got {widths!r:.200})'
            )
        emb = self._embed({name: torch.tensor([x]) for name, x in features.items()})
        if not bool(emb.isfinite().all()):
            raise ValueError("'features' needs to be on the scale of those in training")
        out = []
        for query, table, known in (
            (normalize(emb.float(), dim=1), self._directions, self.recommender.items),
            (emb, self.recommender.user_emb, self.recommender.users),
        ):
            score, index = topk(query, table, min(k, len(known)))
            ids = known.decode(index[0])
            out.append(list(zip(ids, score[0].tolist(), strict=True)))
        return out[0], out[1]
