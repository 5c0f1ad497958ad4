r"""What dense float64 references of models are made of, and how to compare: every
matrix is stored, and no shortcut is taken.
"""

from collections.abc import Callable
from typing import Any

import torch
from graphs import dense_interactions, irregular_graph
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import describes, modalities, model_inputs, similarities
from lgmrec_pyg.transforms import SimilarItems

TRIPLETS = torch.tensor([[0, 0, 1, 4, 10], [0, 1, 3, 5, 0], [5, 7, 8, 2, 6]])


class Dense:
    def __init__(self, data: HeteroData) -> None:
        self.r = dense_interactions(data)
        self.num_users, self.num_items = self.r.shape
        self.x, self.s = {}, {}
        for name in modalities(data):
            node, item = data[describes(name)].edge_index
            owner = self.r.new_zeros(self.num_items, data[name].num_nodes)
            owner[item, node] = 1
            self.x[name] = (
                owner @ data[name].x / owner.sum(1, keepdim=True).clamp(min=1)
            )
        for edge_type in similarities(data):
            j, i = data[edge_type].edge_index
            s = self.r.new_zeros(self.num_items, self.num_items)
            s[i, j] = data[edge_type].edge_weight
            self.s[edge_type[1].removeprefix('similar_')] = s

    def adjacency(self) -> Tensor:
        users = self.r.new_zeros(self.num_users, self.num_users)
        items = self.r.new_zeros(self.num_items, self.num_items)
        top, bottom = torch.cat([users, self.r], 1), torch.cat([self.r.t(), items], 1)
        return torch.cat([top, bottom])

    def a_hat(self) -> Tensor:
        return normalized(self.adjacency())

    def r_hat(self) -> Tensor:
        return self.a_hat()[: self.num_users, self.num_users :]

    def light_gcn(self, e: Tensor, num_layers: int, a: Tensor | None = None) -> Tensor:
        layers = [e]
        for _ in range(num_layers):
            layers.append((self.a_hat() if a is None else a) @ layers[-1])
        return torch.stack(layers).mean(0)

    def split(self, e: Tensor) -> tuple[Tensor, Tensor]:
        return e[: self.num_users], e[self.num_users :]

    def project(self, model: Any, name: str) -> Tensor:
        layer = model.projection[name]
        out = self.x[name] @ layer.projection.weight
        return out if layer.bias is None else out + layer.bias


def normalized(a: Tensor) -> Tensor:
    scale = a.sum(1).pow(-0.5)
    scale[scale.isinf()] = 0
    return torch.diag(scale) @ a @ torch.diag(scale)


def ids(model: Any) -> Tensor:
    return torch.cat([model.user_embedding.weight, model.item_embedding.weight])


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)


def linear(layer: Any, x: Tensor) -> Tensor:
    out = x @ layer.weight.t()
    return out if layer.bias is None else out + layer.bias


def bpr(u: Tensor, p: Tensor, n: Tensor) -> Tensor:
    return -((u * p).sum(1) - (u * n).sum(1)).sigmoid().log().mean()


def ranking(user: Tensor, item: Tensor, temperature: float | None = None) -> Tensor:
    u, p, n = TRIPLETS
    if temperature is None:
        return bpr(user[u], item[p], item[n])
    probability = (unit(user[u]) @ unit(item).t() / temperature).softmax(1)
    return -probability[torch.arange(p.numel()), p].log().mean()


def half_squares(user: Tensor, item: Tensor) -> Tensor:
    u, p, n = TRIPLETS
    rows = torch.cat([user[u], item[p], item[n]])
    return rows.pow(2).sum() / 2 / u.numel()


def norms(user: Tensor, item: Tensor) -> Tensor:
    u, p, n = TRIPLETS
    return (user[u].norm() + item[p].norm() + item[n].norm()) / u.numel()


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    s = unit(a) @ unit(b).t() / temperature
    return -(s.diagonal() - s.exp().sum(1).log()).mean()


def side_losses(
    dense: Dense, c: Tensor, side: Tensor, temperature: float | None
) -> tuple:
    r"""Embeddings and losses of models with a collaborative and a side view."""
    user, item = dense.split(c + side)
    rank, reg = ranking(user, item, temperature), half_squares(user, item)
    (side_user, side_item), (c_user, c_item) = dense.split(side), dense.split(c)
    u, p, _ = TRIPLETS
    contrast = info_nce(side_item[p], c_item[p], 0.2)
    contrast = contrast + info_nce(side_user[u], c_user[u], 0.2)
    return user, item, rank + 0.3 * contrast + 0.2 * reg, rank, contrast, reg


def graph_with_similar(num_modalities: int = 2, **kwargs: Any) -> HeteroData:
    return SimilarItems(**{'k': 3} | kwargs)(irregular_graph(num_modalities))


def assert_equal_to_reference(
    model: Any, data: HeteroData, reference: Callable[[Any, Dense], tuple]
) -> None:
    r"""Compares embeddings, every term of the loss, and the gradients of each."""
    inputs, dense = model_inputs(data), Dense(data)
    for parameter in model.parameters():  # Biases of zero would hide mistakes.
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, -0.5, 0.5)
    out = model(*inputs)
    losses = model.loss(out, *TRIPLETS)
    user, item, *expected = reference(model, dense)
    cosine = getattr(model, 'ranks_by_cosine', False)
    wanted = (unit(user), unit(item)) if cosine else (user, item)
    for x, y in zip(model.embed(*inputs), wanted, strict=True):
        assert torch.allclose(x, y, rtol=0, atol=1e-9)
    params = [x for x in model.parameters() if x.numel() > 0]
    kwargs = {'retain_graph': True, 'allow_unused': True, 'materialize_grads': True}
    for name, value, term in zip(losses._fields, losses, expected, strict=True):
        assert torch.allclose(value, term, rtol=1e-9, atol=1e-9), name
        if not term.requires_grad:
            assert not value.requires_grad or name != 'total'
            continue
        grads = zip(
            torch.autograd.grad(value, params, **kwargs),
            torch.autograd.grad(term, params, **kwargs),
            strict=True,
        )
        assert all(torch.allclose(a, b, rtol=1e-8, atol=1e-9) for a, b in grads), name
