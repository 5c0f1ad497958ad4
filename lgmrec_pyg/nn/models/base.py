from numbers import Integral
from typing import Any

from torch import Tensor
from torch.nn import Module
from torch_geometric.data import HeteroData
from typing_extensions import Self

from lgmrec_pyg.graph import (
    ITEM,
    USER,
    MultimodalGraph,
    describes,
    modalities,
    similar,
    validate_graph,
)
from lgmrec_pyg.nn.loss.bpr import BPRLoss
from lgmrec_pyg.nn.loss.softmax import SoftmaxLoss
from lgmrec_pyg.nn.models.output import ModelOutput
from lgmrec_pyg.ops import unit_rows
from lgmrec_pyg.ops.parallel import batch_norm, batch_size


class GraphRecommender(Module):
    r"""What recommenders share that stand beside :class:`LGMRec`: their forward
    maps features and a graph to a :class:`ModelOutput`, whose inner products (or
    cosines, if trained by :obj:`"softmax"`) are the scores.

    Args:
        arguments (Dict[str, Any]): The :meth:`locals` of the constructor of the
            model: its settings, among them :obj:`num_users`, :obj:`num_items`,
            :obj:`feature_dims`, :obj:`embedding_dim`, :obj:`ranking_loss` and
            :obj:`ranking_temperature`.

    Raises:
        ValueError: If a size is not positive, :obj:`ranking_loss` unknown, or there
            is no modality where the model needs some.
    """

    #: The transform that the graph needs, if any, and whether with the union.
    similar_items: str | None = None
    needs_union = False
    ranking_losses: tuple[str | None, ...] = ('bpr', 'softmax')
    needs_modalities = True
    takes_parts = False  # Of a graph, as neighbor samplers draw them.
    shared_by: tuple[str, ...] = ('batch',)  # What processes may have a part of.
    _num_nodes: dict[str, int] | None = None

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.settings = {**arguments}
        for name in ('self', '__class__'):
            del self.settings[name]
        for name in ('num_users', 'num_items', 'embedding_dim'):
            value = arguments[name]
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(
                    f"'{name}' needs to be a positive integer (got {value!r})"
                )
        ranking_loss = arguments['ranking_loss']
        if ranking_loss not in self.ranking_losses:
            raise ValueError(
                f"'ranking_loss' needs to be one of {self.ranking_losses} "
                f'(got {ranking_loss!r})'
            )
        self.feature_dims: dict[str, int] = dict(arguments['feature_dims'])
        if self.needs_modalities and not self.feature_dims:
            raise ValueError("'feature_dims' needs to hold a modality (got none)")
        self.num_users: int = arguments['num_users']
        self.num_items: int = arguments['num_items']
        self.ranks_by_cosine = ranking_loss == 'softmax'
        self.bpr = BPRLoss()
        self.softmax = SoftmaxLoss(arguments['ranking_temperature'])

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        r"""Checks a graph, and reads the sizes from it.

        Args:
            data (HeteroData): The multimodal interaction graph.
            **kwargs (optional): Additional arguments of the constructor.

        Raises:
            ValueError: See :func:`~lgmrec_pyg.graph.validate_graph`.
        """
        validate_graph(data)
        sizes: dict[str, Any] = {
            'num_users': data[USER].num_nodes,
            'num_items': data[ITEM].num_nodes,
            'feature_dims': {m: data[m].num_features for m in modalities(data)},
        }
        out = cls(**sizes, **kwargs)
        out._num_nodes = {name: data[name].num_nodes for name in modalities(data)}
        return out

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        r"""Computes the embeddings of all users and items.

        Args:
            x_dict (Dict[str, torch.Tensor]): The features of every modality, of
                shape :math:`(N_m, d_m)`.
            graph (MultimodalGraph): The edges, see
                :func:`~lgmrec_pyg.graph.model_inputs`.
        """
        raise NotImplementedError

    def embed(
        self, x_dict: dict[str, Tensor], graph: MultimodalGraph
    ) -> tuple[Tensor, Tensor]:
        r"""Computes the final embeddings of all users and items, whose inner
        products are the scores, from the arguments of :meth:`forward`.
        """
        out = self(x_dict, graph)
        if self.ranks_by_cosine:
            return unit_rows(out.user), unit_rows(out.item)
        return out.user, out.item

    def backbone_of(self, cls: Any, settings: dict[str, Any] | None) -> Any:
        r"""Builds a model inside of this one, of the same sizes and ranking loss, whose
        needs of graphs and processes become those of this one.
        """
        names = ['num_users', 'num_items', 'feature_dims', 'embedding_dim']
        names += ['ranking_temperature']
        if self.settings['ranking_loss'] is not None:
            names += ['ranking_loss']
        shared = {name: self.settings[name] for name in names}
        backbone = cls(**shared, **(settings or {}))
        for name in ('similar_items', 'needs_union', 'ranks_by_cosine'):
            setattr(self, name, getattr(backbone, name))
        self.shared_by = tuple(x for x in backbone.shared_by if x == 'batch')
        return backbone

    def ranking(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        r"""The ranking loss of a batch of triplets, and their embeddings."""
        rows = out.select(user, pos, neg)
        if self.ranks_by_cosine:
            return self.softmax(rows[0], out.item, pos), rows
        return self.bpr(*rows), rows

    def check(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> None:
        r"""Raises an error if the graph lacks what the model needs."""
        missing = set(self.feature_dims) - (set(x_dict) & set(graph.modality))
        if missing:
            raise ValueError(
                f'The graph needs to hold the modalities of the model with features '
                f"'x' and edges {describes('*')} (missing: {sorted(missing)})"
            )
        got = graph.interactions.num_users, graph.interactions.num_items
        if graph.nodes and not self.takes_parts:
            raise ValueError(
                f"'{self.__class__.__name__}' needs a whole graph (got a part of one)"
            )
        if not graph.nodes and got != (self.num_users, self.num_items):
            raise ValueError(
                f'The graph needs to have the {self.num_users} users and '
                f'{self.num_items} items of the model (got {got[0]} and {got[1]}). A '
                f"part of it needs 'n_id' of both, as PyG's loaders give it"
            )
        if self.similar_items is None:
            return
        needed = [*self.feature_dims] + ([ITEM] if self.needs_union else [])
        absent = [similar(name) for name in needed if name not in graph.similar]
        if absent:
            raise ValueError(
                f"'{self.__class__.__name__}' needs edges {absent} between items: "
                f'transform the graph by {self.similar_items}'
            )

    def refuse_part(self, x_dict: dict[str, Tensor]) -> None:
        r"""Raises an error for dictionaries of a batch of a neighbor sampler: its
        edges are local indices, which cannot be told from global ones.
        """
        for name, size in (self._num_nodes or {}).items():
            if name in x_dict and x_dict[name].size(0) < size:
                raise ValueError(
                    f"'x_dict' needs to hold all {size} rows of '{name}' (got "
                    f'{x_dict[name].size(0)}). For a part of the graph, use '
                    f"'model(*model_inputs(batch))', which reads 'n_id'"
                )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_users}, {self.num_items}, '
            f'{self.feature_dims})'
        )


def unwrap(model: Any) -> Any:
    r"""The model inside of those that compile, replicate or average it."""
    while 'settings' not in vars(model):
        inner = getattr(model, '_orig_mod', None) or getattr(model, 'module', None)
        if not isinstance(inner, Module):
            break
        model = inner
    return model


def half_squares(*rows: Tensor) -> Tensor:
    r"""Half of the squared norms of a batch, a row."""
    return sum((x.square().sum() for x in rows), rows[0].new_zeros(())) / (
        2 * batch_size(rows[0].size(0))
    )


def norms(*rows: Tensor) -> Tensor:
    r"""The Frobenius norms of a batch, not squared, a row."""
    total = sum((batch_norm(x) for x in rows), rows[0].new_zeros(()))
    return total / batch_size(rows[0].size(0))
