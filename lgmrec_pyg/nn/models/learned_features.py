from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.data import HeteroData
from torch_geometric.nn.parameter_dict import ParameterDict
from typing_extensions import Self

import lgmrec_pyg.nn.models as models
from lgmrec_pyg.graph import MultimodalGraph, modalities
from lgmrec_pyg.nn.models.base import GraphRecommender


class LearnedFeatures(GraphRecommender):
    r"""Trains the features of all modalities along with a recommender that projects
    them: of every modality, a table :math:`\mathbf{X}_m` that starts as its features.

    Most public codes of multimodal recommenders do (FREEDOM, BM3, MGCN, SMORE, PGL,
    LATTICE, among others), while all models of this package leave features as they
    are. The tables are the largest parameters by far: 7,050 rows of 4,480 columns for
    Amazon Baby are 32 million, where FREEDOM has 2 million others. What is computed
    of the features before, such as edges between similar items, stays as it is, and
    the recommender has no use for the features of new items.

    .. code-block:: python

        model = LearnedFeatures.from_data(data, backbone='FREEDOM')

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        num_nodes (Dict[str, int]): The number of nodes of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        backbone (str, optional): The name of a model of this package, *e.g.*,
            :obj:`"LGMRec"`. (default: :obj:`"FREEDOM"`)
        backbone_settings (Dict[str, Any], optional): Further arguments of its
            constructor. (default: :obj:`None`)
        ranking_loss (str, optional): That of the backbone, or its own default if
            :obj:`None`. (default: :obj:`None`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)

    Raises:
        ValueError: If the backbone is unknown, or has no such loss.
    """

    ranking_losses = (None, 'bpr', 'bootstrap', 'softmax')

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        num_nodes: dict[str, int],
        embedding_dim: int = 64,
        backbone: str = 'FREEDOM',
        backbone_settings: dict[str, Any] | None = None,
        ranking_loss: str | None = None,
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        cls = getattr(models, backbone, None)
        known = isinstance(cls, type) and issubclass(cls, GraphRecommender)
        if not known or cls in (GraphRecommender, LearnedFeatures):
            raise ValueError(
                f"'backbone' needs to be the name of a model (got {backbone!r})"
            )
        self.backbone = self.backbone_of(cls, backbone_settings)
        self.features = ParameterDict(
            {
                name: Parameter(torch.zeros(num_nodes[name], dim))
                for name, dim in feature_dims.items()
            }
        )

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        r"""Checks a graph, reads the sizes from it, and copies its features.

        Args:
            data (HeteroData): The multimodal interaction graph.
            **kwargs (optional): Additional arguments of the constructor.

        Raises:
            ValueError: See :func:`~lgmrec_pyg.graph.validate_graph`.
        """
        sizes = {name: data[name].num_nodes for name in modalities(data)}
        out = super().from_data(data, num_nodes=sizes, **kwargs)
        with torch.no_grad():
            for name, table in out.features.items():
                table.copy_(data[name].x)
        return out

    def reset_parameters(self) -> None:
        r"""Resets the parameters of the recommender; features stay as they are."""
        self.backbone.reset_parameters()

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> Any:
        r"""Computes the output of the recommender from the features as trained, not
        from those given.
        """
        self.check(x_dict, graph)
        return self.backbone(dict(self.features.items()), graph)

    def loss(self, out: Any, user: Tensor, pos: Tensor, neg: Tensor) -> Any:
        r"""Computes the loss of the recommender."""
        return self.backbone.loss(out, user, pos, neg)

    def embed(
        self, x_dict: dict[str, Tensor], graph: MultimodalGraph
    ) -> tuple[Tensor, Tensor]:
        r"""Computes the final embeddings of all users and items."""
        self.check(x_dict, graph)
        embeddings: tuple[Tensor, Tensor] = self.backbone.embed(
            dict(self.features.items()), graph
        )
        return embeddings
