import torch
from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.graph import modalities
from lgmrec_pyg.ops import unit_rows


@functional_transform('random_projection')
class RandomProjection(BaseTransform):
    r"""Projects wide features to fewer columns by a random matrix, which keeps angles
    up to noise, and scales rows to unit length (functional name:
    :obj:`random_projection`), as the public code of the `"Modality-Independent Graph
    Neural Networks with Global Transformers for Multimodal Recommendation"
    <https://arxiv.org/abs/2412.13994>`_ paper does for images.

    .. math::
        \mathbf{x}^{\prime}_n = \frac{\mathbf{x}_n \mathbf{G}}{\Vert \mathbf{x}_n
        \mathbf{G} \Vert}, \qquad \mathbf{G}_{jk} \sim \mathcal{N}(0, 1)

    Modalities that are no wider than that stay as they are.

    Args:
        out_channels (int, optional): The number of columns. (default: :obj:`384`)
        seed (int, optional): The seed of :math:`\mathbf{G}`. (default: :obj:`0`)
    """

    def __init__(self, out_channels: int = 384, seed: int = 0) -> None:
        self.out_channels = out_channels
        self.seed = seed

    def forward(self, data: HeteroData) -> HeteroData:
        generator = torch.Generator().manual_seed(self.seed)
        for name in modalities(data):
            x = data[name].x
            if x.size(1) > self.out_channels:
                matrix = torch.randn(x.size(1), self.out_channels, generator=generator)
                single = torch.promote_types(x.dtype, torch.float)  # Half overflows.
                projected = x.to(single) @ matrix.to(x.device, single)
                data[name].x = unit_rows(projected).to(x.dtype)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.out_channels}, seed={self.seed})'
