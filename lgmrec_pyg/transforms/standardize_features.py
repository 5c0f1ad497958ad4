import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.graph import modalities


@functional_transform('standardize_features')
class StandardizeFeatures(BaseTransform):
    r"""Standardizes the features of the modalities, whose raw scales differ by
    orders of magnitude (functional name: :obj:`standardize_features`).

    Each column is shifted to zero mean and scaled to unit standard deviation,
    and each row is then scaled to unit Euclidean length:

    .. math::
        \hat{x}_{nj} = \frac{x_{nj} - \mu_j}{\sigma_j} \qquad
        x^{\prime}_n = \frac{\hat{x}_n}{{\lVert \hat{x}_n \rVert}_2}

    Constant columns become zero.
    All-zero rows, which stand for items without content, take no part in
    :math:`\mu_j` and :math:`\sigma_j`, and stay zero.

    Args:
        columns (bool, optional): If set to :obj:`False`, will not standardize
            columns. (default: :obj:`True`)
        rows (bool, optional): If set to :obj:`False`, will not scale rows to
            unit length. (default: :obj:`True`)
        node_types (List[str], optional): The node types to standardize.
            If set to :obj:`None`, will standardize all modalities.
            (default: :obj:`None`)
    """

    def __init__(
        self,
        columns: bool = True,
        rows: bool = True,
        node_types: list[str] | None = None,
    ) -> None:
        self.columns = columns
        self.rows = rows
        self.node_types = node_types

    def forward(self, data: HeteroData) -> HeteroData:
        node_types = self.node_types
        for node_type in modalities(data) if node_types is None else node_types:
            if node_type not in data.node_types or 'x' not in data[node_type]:
                raise ValueError(
                    f"'node_types' needs to contain node types with features "
                    f"'x' (got '{node_type}', but the graph has "
                    f'{list(data.collect("x", allow_empty=True))})'
                )
            x = data[node_type].x
            if self.columns:
                x = _standardize_columns(x)
            if self.rows:
                x = _normalize_rows(x)
            data[node_type].x = x
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(columns={self.columns}, '
            f'rows={self.rows}, node_types={self.node_types})'
        )


def _standardize_columns(x: Tensor) -> Tensor:
    described = (x != 0).any(dim=1)
    if not described.any():
        return x
    rows = x if described.all() else x[described]
    rows = rows.to(torch.promote_types(x.dtype, torch.float32))
    mean = rows.mean(dim=0, dtype=torch.float64)
    rows = rows - mean.to(rows.dtype)
    std = torch.linalg.vector_norm(rows, dim=0, dtype=torch.float64)
    std /= rows.size(0) ** 0.5
    # A column whose spread is below its rounding error is constant:
    constant = std <= torch.finfo(x.dtype).eps * mean.abs()
    scale = torch.where(constant, 0.0, 1.0 / std)
    out = torch.zeros_like(x)
    out[described] = (rows * scale.to(rows.dtype)).to(x.dtype)
    return out


def _normalize_rows(x: Tensor) -> Tensor:
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float64)
    return (x / norm.where(norm > 0, 1.0)).to(x.dtype)
