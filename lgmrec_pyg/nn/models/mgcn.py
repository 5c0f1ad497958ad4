from torch import Tensor
from torch.nn import Linear
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.attentive_fusion import AttentiveFusion
from lgmrec_pyg.nn.models.output import ModelOutput
from lgmrec_pyg.nn.models.side_view import SideViewRecommender


class MGCN(SideViewRecommender):
    r"""The MGCN model from the `"Multi-View Graph Convolutional Network for
    Multimedia Recommendation" <https://arxiv.org/abs/2308.03588>`_ paper.

    Content gates the ID embeddings of items, which are then propagated to similar
    items and on to users; beside these views stands a collaborative one
    :math:`\mathbf{C} = \mathrm{LightGCN}(\mathbf{E})`:

    .. math::
        \mathbf{F}_m &= \mathbf{X}_m \mathbf{W}_m + \mathbf{b}_m, \qquad
        \mathbf{E}_m = \mathbf{S}_m \big( \mathbf{E}_i \odot \sigma(\mathbf{F}_m
        \mathbf{A}_m + \mathbf{a}_m) \big), \qquad \mathbf{H}_m =
        [\hat{\mathbf{R}} \mathbf{E}_m ; \mathbf{E}_m]

        \mathbf{H} &= \sum_m \omega_m \mathbf{H}_m, \qquad \omega =
        \mathrm{softmax}_m \, \mathbf{q}^{\top} \tanh(\mathbf{W} \mathbf{h}_m +
        \mathbf{b})

        \mathbf{P} &= \frac{1}{M + 1} \Big( \mathbf{H} + \sum_m \sigma(\mathbf{C}
        \mathbf{B}_m + \mathbf{b}_m) \odot (\mathbf{H}_m - \mathbf{H}) \Big), \qquad
        \mathbf{Z} = \mathbf{C} + \mathbf{P}

    Training minimizes :math:`\mathcal{L}_{\mathrm{BPR}}(\mathbf{Z}) + \lambda_1
    \mathcal{L}_{\mathrm{NCE}}(\mathbf{P}, \mathbf{C}) + \lambda_2
    \frac{1}{2B} \Vert \mathbf{Z} \Vert^2`, the latter two over the batch.
    The graph needs similarities, :obj:`SimilarItems(k=10)`. Features are frozen
    here, and trained in the public code; that divides the norm by the size of a
    full batch even in the last one.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): Layers over interactions. (default: :obj:`2`)
        num_similar_layers (int, optional): Layers over similar items.
            (default: :obj:`1`)
        contrast_weight (float, optional): :math:`\lambda_1`. (default: :obj:`1e-2`)
        reg_weight (float, optional): :math:`\lambda_2`. (default: :obj:`1e-4`)
        temperature (float, optional): The temperature of the contrast.
            (default: :obj:`0.2`)
        ranking_loss (str, optional): :obj:`"bpr"` or :obj:`"softmax"`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    similar_items = 'SimilarItems(k=10)'

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        num_layers: int = 2,
        num_similar_layers: int = 1,
        contrast_weight: float = 1e-2,
        reg_weight: float = 1e-4,
        temperature: float = 0.2,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        d, names = embedding_dim, list(feature_dims)
        self.purifier = ModuleDict({name: Linear(d, d) for name in names})
        self.preference = ModuleDict({name: Linear(d, d) for name in names})
        self.fusion = AttentiveFusion(d)
        self.reset_parameters()

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        ids = self.user_embedding.weight, self.item_embedding.weight
        collaborative = self.collaborative(*ids, graph.interactions)
        views = []
        for name, project in self.projection.items():
            content = project(x_dict[name], graph.modality[name])
            item = ids[1] * self.purifier[name](content).sigmoid()
            views.append(self.view(item, name, graph))
        users, items = map(list, zip(*views, strict=True))
        side = self.fuse(users, collaborative[0]), self.fuse(items, collaborative[1])
        return ModelOutput(
            collaborative[0] + side[0],
            collaborative[1] + side[1],
            {'side': side, 'collaborative': collaborative},
        )

    def fuse(self, views: list[Tensor], collaborative: Tensor) -> Tensor:
        r"""The side view :math:`\mathbf{P}` of users or of items."""
        out = common = self.fusion(views)
        for view, gate in zip(views, self.preference.values(), strict=True):
            out = out + gate(collaborative).sigmoid() * (view - common)
        return out / (len(views) + 1)
