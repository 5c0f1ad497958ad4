from torch import Tensor
from torch.nn import Linear, Sequential, Tanh
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import ITEM, MultimodalGraph
from lgmrec_pyg.nn.dropout import dropout
from lgmrec_pyg.nn.models.output import ModelOutput
from lgmrec_pyg.nn.models.side_view import SideViewRecommender
from lgmrec_pyg.nn.spectral_filter import SpectralFilter


class SMORE(SideViewRecommender):
    r"""The SMORE model from the `"Spectrum-based Modality Representation Fusion
    Graph Convolutional Network for Multimodal Recommendation"
    <https://arxiv.org/abs/2412.14978>`_ paper.

    Projected features are filtered in the frequency domain, every modality on its
    own and all together (:math:`f`), and gate the ID embeddings of items, which are
    then propagated to similar items and on to users; beside these views stands a
    collaborative one :math:`\mathbf{C} = \mathrm{LightGCN}(\mathbf{E})`:

    .. math::
        \mathbf{C}_m &= \mathrm{filter}_m(\mathbf{F}_m), \qquad \mathbf{C}_f =
        \mathrm{filter}_f(\mathbf{F}_1, \ldots, \mathbf{F}_M), \qquad \mathbf{F}_m =
        \mathbf{X}_m \mathbf{W}_m + \mathbf{b}_m

        \mathbf{E}_x &= \mathbf{S}_x \big( \mathbf{E}_i \odot \sigma(\mathbf{C}_x
        \mathbf{A}_x + \mathbf{a}_x) \big), \qquad \mathbf{H}_x =
        [\hat{\mathbf{R}} \mathbf{E}_x ; \mathbf{E}_x]

        \mathbf{P} &= \frac{1}{M + 1} \Big( \mathbf{G}_f \odot \mathbf{H}_f + \sum_m
        \mathbf{G}_m \odot \mathrm{softmax} \big( \tanh(\mathbf{H}_f \mathbf{V}_m +
        \mathbf{v}_m) \mathbf{Q}_m \big) \odot \mathbf{H}_m \Big), \qquad
        \mathbf{Z} = \mathbf{C} + \mathbf{P}

    with gates :math:`\mathbf{G}_x = \mathrm{dropout}(\sigma(\mathbf{C} \mathbf{B}_x
    + \mathbf{b}_x))`, the softmax over features, and the loss of :class:`MGCN`.
    The graph needs similarities and their union,
    :obj:`SimilarItems(k=..., union=True)`. Features are frozen here, and trained in
    the public code.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): Layers over interactions. (default: :obj:`3`)
        num_similar_layers (int, optional): Layers over similar items.
            (default: :obj:`1`)
        dropout (float, optional): The dropout of gates. (default: :obj:`0.0`)
        contrast_weight (float, optional): The weight of the contrast.
            (default: :obj:`1e-2`)
        reg_weight (float, optional): The weight of the norms. (default: :obj:`1e-4`)
        temperature (float, optional): The temperature of the contrast.
            (default: :obj:`0.2`)
        ranking_loss (str, optional): :obj:`"bpr"` or :obj:`"softmax"`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    similar_items = 'SimilarItems(k=10, union=True)'
    needs_union = True

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        num_layers: int = 3,
        num_similar_layers: int = 1,
        dropout: float = 0.0,
        contrast_weight: float = 1e-2,
        reg_weight: float = 1e-4,
        temperature: float = 0.2,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        d, names = embedding_dim, [*feature_dims, ITEM]  # The last for all together.
        self.dropout = dropout
        self.filter = ModuleDict({name: SpectralFilter(d) for name in names})
        self.purifier = ModuleDict({name: Linear(d, d) for name in names})
        self.preference = ModuleDict({name: Linear(d, d) for name in names})
        self.attention = ModuleDict(
            {
                name: Sequential(Linear(d, d), Tanh(), Linear(d, d, bias=False))
                for name in feature_dims
            }
        )
        self.reset_parameters()

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        ids = self.user_embedding.weight, self.item_embedding.weight
        collaborative = self.collaborative(*ids, graph.interactions)
        features = {
            name: [project(x_dict[name], graph.modality[name])]
            for name, project in self.projection.items()
        }
        features[ITEM] = [x for (x,) in features.values()]
        views: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
        for name, x in features.items():
            content = self.filter[name](*x)
            item = ids[1] * self.purifier[name](content).sigmoid()
            views[0][name], views[1][name] = self.view(item, name, graph)
        side = (
            self.fuse(views[0], collaborative[0]),
            self.fuse(views[1], collaborative[1]),
        )
        return ModelOutput(
            collaborative[0] + side[0],
            collaborative[1] + side[1],
            {'side': side, 'collaborative': collaborative},
        )

    def fuse(self, views: dict[str, Tensor], collaborative: Tensor) -> Tensor:
        r"""The side view :math:`\mathbf{P}` of users or of items."""
        out = collaborative.new_zeros(())
        for name, view in views.items():
            if name != ITEM:
                view = self.attention[name](views[ITEM]).softmax(dim=1) * view
            gate = self.preference[name](collaborative).sigmoid()
            out = out + dropout(gate, self.dropout, self.training) * view
        return out / len(views)
