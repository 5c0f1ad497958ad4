from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.ops import Adjacency, spmm
from lgmrec_pyg.ops.parallel import all_nodes


class SimilarPropagation(Module):
    r"""Propagates over a mixture of the similarities of items by every modality,
    from the `"A Tale of Two Graphs: Freezing and Denoising Graph Structures for
    Multimodal Recommendation" <https://arxiv.org/abs/2211.06924>`_ paper.

    .. math::
        \mathbf{H} = \Big( \sum_m \omega_m \mathbf{S}_m \Big)^L \mathbf{E}

    Args:
        modalities (List[str]): The modalities.
        first_weight (float, optional): The weight :math:`\omega` of
            :obj:`"image"`, or of the first modality where there is none; the others
            share the rest. (default: :obj:`0.1`)
        num_layers (int, optional): The number :math:`L` of layers.
            (default: :obj:`1`)

    Shapes:
        - **input:** item features :math:`(|\mathcal{I}|, F)`, similarities
          :class:`~lgmrec_pyg.ops.Adjacency` by modality
        - **output:** item features :math:`(|\mathcal{I}|, F)`
    """

    def __init__(
        self, modalities: list[str], first_weight: float = 0.1, num_layers: int = 1
    ) -> None:
        super().__init__()
        share = (1 - first_weight) / max(1, len(modalities) - 1)
        self.weight = dict.fromkeys(modalities, share)
        first = 'image' if 'image' in modalities else modalities[0]
        self.weight[first] = first_weight if len(modalities) > 1 else 1.0
        self.num_layers = num_layers

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(self, x: Tensor, similar: dict[str, Adjacency]) -> Tensor:
        for _ in range(self.num_layers):
            whole = all_nodes(x, similar[next(iter(self.weight))].size[1])
            terms = [w * spmm(similar[m], whole) for m, w in self.weight.items()]
            x = sum(terms[1:], terms[0])
        return x

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.weight}, num_layers={self.num_layers})'
