from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch_geometric.data import HeteroData
from torch_geometric.utils import scatter

from lgmrec_pyg.evaluation.topk import topk
from lgmrec_pyg.graph import describes, edge_index_of, modalities, training_pairs

RIDGE = 1.0
NUM_NEIGHBORS = 10
TOLERANCE = 1e-2  # Of unit length, in half precision.


class Scale(NamedTuple):
    r"""Standardizes the rows of features that are not all zero, to unit length."""

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, known: Tensor) -> 'Scale':
        rows = known[(known != 0).any(dim=1)]
        if rows.size(0) == 0:  # Then nothing is fitted to them.
            return cls(known.new_zeros(()), known.new_ones(()))
        mean, std = rows.mean(dim=0), rows.std(dim=0, correction=0)
        constant = std <= torch.finfo(std.dtype).eps * rows.abs().amax(dim=0)
        return cls(mean, torch.where(constant, 0.0, 1.0 / std))

    def __call__(self, x: Tensor) -> Tensor:
        has = (x != 0).any(dim=1, keepdim=True)
        return normalize((x - self.mean) * self.scale * has, dim=1)


class Ridge(NamedTuple):
    r"""A regression to embeddings, with the residuals of the closest predictions."""

    matrix: Tensor
    mean: Tensor
    directions: Tensor
    residual: Tensor

    @classmethod
    def of(cls, source: Tensor, emb: Tensor, weight: Tensor) -> 'Ridge':
        mean = (weight * emb).sum(dim=0) / weight.sum()
        weighted = source * weight
        gram = (weighted.t() @ source).double()
        gram.diagonal().add_(RIDGE)
        right = (weighted.t() @ (emb - mean)).double()
        matrix = torch.cholesky_solve(right, torch.linalg.cholesky(gram)).to(emb.dtype)
        fitted = source @ matrix
        return cls(matrix, mean, normalize(fitted, dim=1), emb - mean - fitted)

    def __call__(self, target: Tensor) -> Tensor:
        out = target @ self.matrix
        k = min(NUM_NEIGHBORS, self.directions.size(0))
        _, neighbor = topk(normalize(out, dim=1), self.directions, k)
        return out + self.mean + self.residual[neighbor].mean(dim=1)


class ItemRegression:
    r"""Embeds items by their features alone, see
    :func:`~lgmrec_pyg.recommend.embed_new_items`, which is one call of it. Each set of
    modalities is fitted once, when the first item with these comes.

    Args:
        data (HeteroData): The graph that the model was trained on.
        item_emb (torch.Tensor): The item embeddings of the trained model.
    """

    def __init__(self, data: HeteroData, item_emb: Tensor) -> None:
        self.data, self.item_emb = data, item_emb
        item = training_pairs(data)[1].to(item_emb.device)
        degree = torch.bincount(item, minlength=item_emb.size(0))
        self._trained = degree > 0
        weight = degree[self._trained].to(item_emb.dtype).log1p()
        self._weight = (weight / weight.mean()).view(-1, 1).float()
        self._by_cosine = _of_unit_length(item_emb)
        self._fits: dict[tuple[str, ...], tuple[dict[str, Scale], Ridge]] = {}

    @torch.no_grad()
    def __call__(self, x_dict: dict[str, Tensor]) -> Tensor:
        r"""Returns the embeddings of new items.

        Args:
            x_dict (Dict[str, torch.Tensor]): Their features by modality.

        Raises:
            ValueError: See :func:`~lgmrec_pyg.recommend.embed_new_items`.
        """
        self._check(x_dict)
        x_dict = {
            name: x.to(self.item_emb.device).float() for name, x in x_dict.items()
        }
        has = torch.stack([(x != 0).any(dim=1) for x in x_dict.values()], dim=1)
        out = self.item_emb.new_empty(has.size(0), self.item_emb.size(1))
        for pattern in has.unique(dim=0):
            names = tuple(x for x, use in zip(x_dict, pattern, strict=True) if use)
            rows = (has == pattern).all(dim=1)
            if names not in self._fits:
                self._fits[names] = self._fit(names, int(rows.nonzero()[0]))
            scales, ridge = self._fits[names]
            parts = [scale(x_dict[name][rows]) for name, scale in scales.items()]
            found = ridge(torch.cat(parts, dim=1))
            out[rows] = (normalize(found) if self._by_cosine else found).to(out.dtype)
        return out

    def _fit(self, names: tuple[str, ...], item: int) -> tuple[dict[str, Scale], Ridge]:
        device = self.item_emb.device
        known = {
            name: _item_features(self.data, name).to(device)[self._trained]
            for name in names
        }
        has = [(x != 0).any(dim=1) for x in known.values()]
        if not has or not (rows := torch.stack(has).any(dim=0)).any():
            raise ValueError(
                f"'x_dict' needs to hold features of every item in modalities that "
                f'trained items have (got {list(names)} of item {item})'
            )
        scales = {name: Scale.of(x) for name, x in known.items()}
        source = torch.cat([scales[name](x) for name, x in known.items()], 1)
        emb = self.item_emb[self._trained].float()
        return scales, Ridge.of(source[rows], emb[rows], self._weight[rows])

    def _check(self, x_dict: dict[str, Tensor]) -> None:
        if not x_dict or not set(x_dict) <= set(modalities(self.data)):
            raise ValueError(
                f"'x_dict' needs to hold some of the modalities "
                f'{modalities(self.data)} (got {list(x_dict)})'
            )
        num_items = next(iter(x_dict.values())).size(0)
        for name, x in x_dict.items():
            shape = [num_items, self.data[name].num_features]
            if list(x.size()) != shape or not bool(x.isfinite().all()):
                raise ValueError(
                    f"'x_dict[{name!r}]' needs to be finite and of shape {shape} (got "
                    f'{list(x.size())})'
                )
            too_long = bool((x.float().norm(dim=1) > 1 + TOLERANCE).any())
            if too_long and name in self._standardized:
                raise ValueError(
                    f"'x_dict[{name!r}]' needs to be on the scale of 'data': pass the "
                    f"graph before 'StandardizeFeatures'"
                )

    @cached_property
    def _standardized(self) -> list[str]:
        names = modalities(self.data)
        return [name for name in names if _of_unit_length(self.data[name].x)]


def _item_features(data: HeteroData, name: str) -> Tensor:
    x = data[name].x.float()
    node, item = edge_index_of(data[describes(name)])
    return scatter(x[node], item, dim=0, dim_size=data['item'].num_nodes, reduce='mean')


def _of_unit_length(x: Tensor) -> bool:
    norm = x.float().norm(dim=1)
    norm = norm[norm > 0]
    return norm.numel() > 0 and bool(((norm - 1).abs() < TOLERANCE).all())
