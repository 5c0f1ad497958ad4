r"""LGMRec in dense float64, written from the equations of the paper: every matrix
stored, no shortcut taken. Noise and dropout masks are inputs.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Parameters:
    user: Tensor
    item: Tensor
    weight: dict[str, Tensor]
    hyperedge: dict[str, Tensor]
    modality_user: dict[str, Tensor] = field(default_factory=dict)

    def all(self) -> list[Tensor]:
        tables = self.weight, self.hyperedge, self.modality_user
        return [self.user, self.item, *(x for table in tables for x in table.values())]


@dataclass
class DenseLGMRec:
    interactions: Tensor  # R, [U, I], binary
    features: dict[str, Tensor]  # X_m, [N_m, d_m]
    owner: dict[str, Tensor]  # P_m, [I, N_m], which nodes describe an item
    parameters: Parameters
    layers: tuple[int, int, int] = (2, 2, 1)
    temperature: float = 0.2
    alpha: float = 0.3
    noise: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    mask: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    parts: tuple[str, ...] = ('collaborative', 'modality', 'hypergraph')
    shared_ids: bool = False
    softmax_temperature: float | None = None  # A softmax over all items, not BPR.
    concat: bool = False
    similar: dict[str, Tensor] = field(default_factory=dict)  # S_m, [I, I]
    similar_weight: float = 0.0
    known: Tensor | None = None  # [I, 1], ones but for new items

    def a_hat(self) -> Tensor:
        r = self.interactions
        num_users, num_items = r.shape
        zero_u, zero_i = (
            r.new_zeros(num_users, num_users),
            r.new_zeros(num_items, num_items),
        )
        a = torch.cat([torch.cat([zero_u, r], 1), torch.cat([r.t(), zero_i], 1)])
        scale = a.sum(1).pow(-0.5)
        scale[scale.isinf()] = 0
        return torch.diag(scale) @ a @ torch.diag(scale)

    def embeddings(self) -> tuple[Tensor, dict[str, Tensor]]:
        r, a_hat, p = self.interactions, self.a_hat(), self.parameters
        num_users = r.size(0)
        layer = torch.cat([p.user, p.item])
        cge = [layer]
        for _ in range(self.layers[0]):
            cge.append(a_hat @ cge[-1])
        known = 1 if self.known is None else self.known
        e_cge = torch.stack(cge).mean(0)
        e_cge = self.without_new(e_cge, 0 * p.item) + self.of_similar(known * p.item)

        out = e_cge if 'collaborative' in self.parts or not self.features else 0
        beside = []
        ghe = {}
        for m, x in self.features.items():
            count = self.owner[m].sum(1, keepdim=True)
            x_item = self.owner[m] @ x / count.clamp(min=1)
            has = (count > 0).to(x.dtype)

            f_item = x_item @ p.weight[m]
            f_user = r @ f_item / (r @ has).clamp(min=1)
            if self.shared_ids:
                f_user = p.user
            if self.concat:
                f_user = p.modality_user.get(m, f_user)
                f_item = normalize(f_item)
            mge = [torch.cat([f_user, f_item])]
            for _ in range(self.layers[1]):
                mge.append(a_hat @ mge[-1])
            mge = torch.stack(mge).mean(0) if self.concat else mge[-1]
            isolated = f_item / (self.layers[1] + 1) if self.concat else 0 * f_item
            mge = self.without_new(mge, isolated) + self.of_similar(f_item)
            if 'modality' in self.parts and self.concat:
                beside.append(mge)
            elif 'modality' in self.parts:
                out = out + normalize(mge)

            h_item = x_item @ p.hyperedge[m]
            h_user = r @ h_item
            g_user, g_item = self.noise.get(m, (0, 0))
            mask_user, mask_item = self.mask.get(m, (1, 1))
            h_user = ((h_user + g_user) / self.temperature).softmax(1) * mask_user
            h_item = ((h_item + g_item) / self.temperature).softmax(1) * mask_item * has
            g = e_cge[num_users:]
            for _ in range(self.layers[2]):
                user, g = h_user @ (h_item.t() @ g), h_item @ (h_item.t() @ g)
            ghe[m] = torch.cat([user, g])
        if ghe and 'hypergraph' in self.parts:
            out = out + self.alpha * normalize(sum(ghe.values()))
        if beside:
            first = [] if isinstance(out, int) else [out]
            out = torch.cat([*first, *beside], 1)
        return out, ghe

    def without_new(self, e: Tensor, isolated: Tensor) -> Tensor:
        if self.known is None:
            return e
        num_users = self.interactions.size(0)
        item = self.known * e[num_users:] + (1 - self.known) * isolated
        return torch.cat([e[:num_users], item])

    def of_similar(self, x_item: Tensor) -> Tensor:
        num_users = self.interactions.size(0)
        out = x_item.new_zeros(num_users + x_item.size(0), x_item.size(1))
        for s in self.similar.values():
            out[num_users:] += self.similar_weight / len(self.similar) * (s @ x_item)
        return out

    def loss(self, user: Tensor, pos: Tensor, neg: Tensor) -> tuple[Tensor, ...]:
        num_users = self.interactions.size(0)
        e, ghe = self.embeddings()
        u, p, n = e[user], e[num_users + pos], e[num_users + neg]
        if self.softmax_temperature is None:
            ranking = -((u * p).sum(1) - (u * n).sum(1)).sigmoid().log().mean()
        else:
            scores = normalize(u) @ normalize(e[num_users:]).t()
            if self.known is not None:
                scores[:, self.interactions.sum(0) == 0] = -torch.inf
            probability = (scores / self.softmax_temperature).softmax(1)
            ranking = -probability[torch.arange(pos.numel()), pos].log().mean()
        reg = (u.norm() + p.norm() + n.norm()) / user.numel()
        contrast = e.new_zeros(())
        names = list(ghe) if 'hypergraph' in self.parts else []
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                a, k = normalize(ghe[first]), normalize(ghe[second])
                for part, batch in (
                    (slice(0, num_users), user),
                    (slice(num_users, None), pos),
                ):
                    s = a[part][batch] @ k[part].t() / self.temperature
                    positive = s[torch.arange(batch.numel()), batch]
                    contrast = contrast - (positive - s.exp().sum(1).log()).sum()
        return ranking + 1e-4 * contrast + 1e-6 * reg, ranking, contrast, reg


def normalize(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
