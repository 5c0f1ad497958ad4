r"""A mistake of the authors' code that the published numbers come from."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.nn import HypergraphEmbedding, LGMRec, LGMRecOutput


class MembershipBugLGMRec(LGMRec):
    r"""LGMRec with the user memberships that the authors' code had until mid-2024:
    the softmaxed memberships of the second modality overwrote those of the first
    and took their place, while the second kept its raw logits (with dropout).

    Items are not affected. Only for comparison; needs two modalities.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(self.feature_dims) != 2:
            raise ValueError(
                f"'feature_dims' needs to hold two modalities for this comparison "
                f'(got {list(self.feature_dims)})'
            )

    def forward(self, *args: Any) -> LGMRecOutput:
        logits: list[Tensor] = []

        def keep(module: Module, inputs: tuple[Tensor, ...]) -> None:
            logits.append(inputs[2])

        handle = self.hypergraph.register_forward_pre_hook(keep)
        try:
            out = super().forward(*args)
        finally:
            handle.remove()
        if not out.user.hypergraph:
            return out
        first, second = out.user.hypergraph
        raw = F.dropout(logits[1], self.hypergraph.membership.dropout, self.training)
        swapped = (
            HypergraphEmbedding(second.membership, first.latent),
            HypergraphEmbedding(raw, second.latent),
        )
        return LGMRecOutput(out.user._replace(hypergraph=swapped), out.item)
