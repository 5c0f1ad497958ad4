import re
from collections.abc import Callable

import pytest
import torch
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import WITH_TORCH_SPARSE

from lgmrec_pyg.graph import (
    INTERACTS,
    REV_INTERACTS,
    describes,
    modalities,
    model_inputs,
    reverse,
    set_ids,
    training_pairs,
    validate_graph,
)
from lgmrec_pyg.transforms import ToAdjacency


def make_graph() -> HeteroData:
    data = HeteroData()
    data['user'].num_nodes = 3
    data['item'].num_nodes = 4
    data['text'].x = torch.randn(4, 5)
    data['image'].x = torch.randn(3, 2)
    data[INTERACTS].edge_index = torch.tensor([[0, 0, 1], [0, 3, 2]])
    data[INTERACTS].val_edge_label_index = torch.tensor([[0, 1], [1, 0]])
    data[INTERACTS].test_edge_label_index = torch.tensor([[2], [1]])
    data[describes('text')].edge_index = torch.arange(4).repeat(2, 1)
    data[describes('image')].edge_index = torch.tensor([[0, 1, 2], [3, 3, 0]])
    return data


def test_schema() -> None:
    data = make_graph()
    assert modalities(data) == ['text', 'image']
    assert describes('text') == ('text', 'describes', 'item')
    assert reverse(INTERACTS) == REV_INTERACTS
    assert reverse(describes('text')) == ('item', 'rev_describes', 'text')
    assert set(T.ToUndirected()(data).edge_types) == {
        edge_type
        for forward in (INTERACTS, describes('text'), describes('image'))
        for edge_type in (forward, reverse(forward))
    }


def test_validate_graph() -> None:
    data = make_graph()
    assert validate_graph(data) is None
    for layout in ['csr', 'edge_index'] + ['torch_sparse'] * WITH_TORCH_SPARSE:
        assert validate_graph(ToAdjacency(layout)(data)) is None


def test_validate_graph_without_modalities_and_labels() -> None:
    data = HeteroData()
    data['user'].num_nodes = data['item'].num_nodes = 1
    data[INTERACTS].edge_index = torch.zeros(2, 1, dtype=torch.long)
    assert modalities(data) == []
    validate_graph(data)


def test_validate_graph_with_ids() -> None:
    data = make_graph()
    data['user'].ids = ['x', 'y', 'z']
    set_ids(data, 'item', [7, 3, -2, 0])
    assert validate_graph(data) is None


@pytest.mark.parametrize(
    ('ids', 'message'),
    [
        (['x', 'y'], "'user.ids' needs to hold 3 ids, one per node (got 2)"),
        ('xyz', "'user.ids' needs to be a one-dimensional sequence of ids (got str"),
        (['x', 1, 'z'], "either strings or integers, not both (got 'x' in position 0"),
        ([1.5, 2.0, 3.0], 'strings or integers (got 1.5 of type float'),
        ([False, True, 2], 'strings or integers (got False of type bool'),
        (['x', 'y', None], 'an id in every position (got None'),
        (['z', 'y', 'z'], "each id once (got 'z' in positions 0 and 2)"),
    ],
)
def test_validate_graph_ids_errors(ids: object, message: str) -> None:
    data = make_graph()
    data['user'].ids = ids
    with pytest.raises(ValueError, match=re.escape(message)):
        validate_graph(data)


@pytest.mark.parametrize('layout', [None, 'csr', 'torch_sparse', 'edge_index'])
def test_training_pairs(layout: str | None) -> None:
    if layout == 'torch_sparse' and not WITH_TORCH_SPARSE:
        pytest.skip("needs 'torch-sparse'")
    data = make_graph()
    expected = data[INTERACTS].edge_index.t().tolist()
    out = training_pairs(data if layout is None else ToAdjacency(layout)(data))
    assert sorted(out.t().tolist()) == expected


def test_model_inputs() -> None:
    data = make_graph()
    x_dict, graph = model_inputs(data)
    assert list(x_dict) == list(graph.modality) == ['text', 'image']
    assert x_dict['text'] is data['text'].x
    assert graph.interactions.to_item.size == (4, 3)
    assert graph.interactions.to_user is not None
    data['user'].x = torch.randn(3, 1)
    assert 'user' not in model_inputs(data)[0]


def remove_user(data: HeteroData) -> None:
    del data['user']


def remove_interacts(data: HeteroData) -> None:
    del data[INTERACTS]


def remove_describes(data: HeteroData) -> None:
    del data[describes('image')]


def remove_edge_index(data: HeteroData) -> None:
    del data[describes('image')].edge_index


def remove_num_nodes(data: HeteroData) -> None:
    del data['item'].num_nodes


def remove_x(data: HeteroData) -> None:
    del data['image'].x


def set_x(x: Tensor) -> Callable[[HeteroData], None]:
    def edit(data: HeteroData) -> None:
        data['image'].x = x

    return edit


def set_x_entry(value: float) -> Callable[[HeteroData], None]:
    def edit(data: HeteroData) -> None:
        data['image'].x[2, 1] = value

    return edit


def set_pairs(name: str, pairs: object) -> Callable[[HeteroData], None]:
    def edit(data: HeteroData) -> None:
        pairs_ = torch.tensor(pairs) if isinstance(pairs, list) else pairs
        setattr(data[INTERACTS], name, pairs_)

    return edit


def set_description(data: HeteroData) -> None:
    data[describes('image')].edge_index = torch.tensor([[0, 3], [0, 0]])


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (remove_user, "to have a node type 'user' (got ['item', 'text', 'image'])"),
        (remove_interacts, f'to have an edge type {INTERACTS} (got [('),
        (remove_describes, f'to have an edge type {describes("image")} (got [('),
        (
            remove_edge_index,
            f"{describes('image')} needs to have 'edge_index' or 'adj_t' (got [])",
        ),
        (remove_num_nodes, "Node type 'item' needs to have 'num_nodes' (got none)"),
        (remove_x, 'tensor of at least 16 bits (got NoneType)'),
        (
            set_x(torch.zeros(3)),
            "'x' of node type 'image' needs to be a dense two-dimensional "
            'floating-point tensor of at least 16 bits (got torch.float32 of shape '
            '[3])',
        ),
        (
            set_x(torch.zeros(3, 2).to(torch.float8_e4m3fn)),
            '(got torch.float8_e4m3fn of shape [3, 2])',
        ),
        (
            set_x(torch.ones(3, 2).to_sparse()),
            '(got torch.float32 of shape [3, 2], torch.sparse_coo)',
        ),
        (
            set_x(torch.zeros(3, 2, dtype=torch.long)),
            'at least 16 bits (got torch.int64 of shape [3, 2])',
        ),
        (
            set_x_entry(float('nan')),
            "'x' of node type 'image' needs to be finite (got nan in row 2, column 1)",
        ),
        (set_x_entry(float('-inf')), '(got -inf in row 2, column 1)'),
        (
            set_pairs('edge_index', torch.zeros(2, 3)),
            f"'edge_index' of edge type {INTERACTS} needs to be an integer tensor of "
            'shape [2, *] (got torch.float32 of shape [2, 3])',
        ),
        (
            set_pairs('edge_index', torch.zeros(3, 2, dtype=torch.long)),
            '(got torch.int64 of shape [3, 2])',
        ),
        (set_pairs('edge_index', None), "'edge_index' or 'adj_t' (got"),
        (
            set_pairs('edge_index', [[0, 0, 1], [0, 4, 2]]),
            f"'edge_index' of edge type {INTERACTS} needs to hold 'item' indices "
            'from 0 to 3 (got 4 in column 1)',
        ),
        (
            set_pairs('edge_index', [[0, 0, -1], [0, 3, 2]]),
            "'user' indices from 0 to 2 (got -1 in column 2)",
        ),
        (set_description, "'image' indices from 0 to 2 (got 3 in column 1)"),
        (
            set_pairs('edge_index', torch.empty(2, 0, dtype=torch.long)),
            'needs to hold at least one training pair (got none)',
        ),
        (
            set_pairs('edge_index', [[0, 1, 0], [3, 2, 3]]),
            f"'edge_index' of edge type {INTERACTS} needs to hold each pair once (got "
            '(0, 3) in columns 0 and 2)',
        ),
        (
            set_pairs('val_edge_label_index', [[0, 3], [1, 0]]),
            f"'val_edge_label_index' of edge type {INTERACTS} needs to hold 'user' "
            'indices from 0 to 2 (got 3 in column 1)',
        ),
        (
            set_pairs('val_edge_label_index', [0, 1]),
            'shape [2, *] (got torch.int64 of shape [2])',
        ),
        (
            set_pairs('val_edge_label_index', [[2, 0], [2, 3]]),
            "'val_edge_label_index' of edge type ('user', 'interacts', 'item') needs "
            "to share no pair with 'edge_index' (got (0, 3) in column 1, 1 shared in "
            'total)',
        ),
        (
            set_pairs('test_edge_label_index', [[2, 2], [1, 1]]),
            'needs to hold each pair once (got (2, 1) in columns 0 and 1)',
        ),
        (
            set_pairs('test_edge_label_index', [[1], [0]]),
            "to share no pair with 'val_edge_label_index' (got (1, 0) in column 0",
        ),
    ],
)
def test_validate_graph_errors(
    edit: Callable[[HeteroData], None], message: str
) -> None:
    data = make_graph()
    edit(data)
    with pytest.raises(ValueError, match=re.escape(message)):
        validate_graph(data)


def test_a_matrix_of_another_size_is_refused() -> None:
    data = make_graph()
    sizes = [data['item'].num_nodes, data['user'].num_nodes]
    user, item = data[INTERACTS].pop('edge_index')
    smaller = [int(item.max()) + 1, int(user.max()) + 1]
    assert smaller != sizes
    values = torch.ones(user.numel())
    matrix = torch.sparse_coo_tensor(torch.stack([item, user]), values, smaller)
    data[INTERACTS].adj_t = matrix.to_sparse_csr()
    message = re.escape(f'be of size {sizes} (got {smaller})')
    with pytest.raises(ValueError, match=f"'adj_t' of edge type .* {message}"):
        validate_graph(data)
