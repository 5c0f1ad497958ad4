import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
import torch_geometric.transforms as T
from graphs import irregular_graph
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, HeteroData
from torch_geometric.loader import (
    DataLoader,
    HGTLoader,
    LinkNeighborLoader,
    NeighborLoader,
)
from torch_geometric.typing import WITH_TORCH_SPARSE

from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    USER,
    IdMap,
    align_ids,
    as_ids,
    decode_ids,
    encode_ids,
    get_ids,
    set_ids,
    validate_graph,
)
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency

USERS = {str: [f'user ü{10**u}' for u in range(11)], int: list(range(100, 111))}
ITEMS = {str: [f'B{i:09d}' for i in range(9)], int: [-(2**62) + i for i in range(9)]}
TEXT = st.text(min_size=1).filter(lambda text: not text.endswith('\0'))
sampled = pytest.mark.skipif(not WITH_TORCH_SPARSE, reason='needs torch-sparse')


@pytest.fixture(params=[(str, str), (int, int), (str, int)])
def kinds(request):
    return request.param


@pytest.fixture
def data(kinds):
    data = irregular_graph(dtype=torch.float32)
    set_ids(data, USER, USERS[kinds[0]])
    set_ids(data, ITEM, ITEMS[kinds[1]])
    return data


def assert_ids(part: HeteroData, kinds, users, items) -> None:
    assert get_ids(part, USER) == [USERS[kinds[0]][u] for u in users.tolist()]
    assert get_ids(part, ITEM) == [ITEMS[kinds[1]][i] for i in items.tolist()]


def test_ids_of_a_graph(data, kinds):
    assert_ids(data, kinds, torch.arange(11), torch.arange(9))
    assert get_ids(data, 'image') is None
    assert data[USER].is_node_attr('ids')
    assert data.validate()
    validate_graph(data)


@sampled
@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('num_workers', [0, 2])
def test_loaders(data, kinds, num_workers):
    data = T.ToUndirected()(data)
    pairs = (INTERACTS, data[INTERACTS].edge_index)
    common = {'batch_size': 4, 'num_workers': num_workers}
    if num_workers > 0:
        common['multiprocessing_context'] = 'fork'
    for loader in (
        NeighborLoader(data, [3, 3], USER, **common),
        HGTLoader(data, [5, 5], USER, **common),
        LinkNeighborLoader(data, [3, 3], pairs, neg_sampling='binary', **common),
    ):
        for batch in loader:
            assert_ids(batch, kinds, batch[USER].n_id, batch[ITEM].n_id)


def test_parts_of_a_graph(data, kinds):
    users, items = torch.tensor([4, 0, 7]), torch.arange(9) % 2 == 0
    part = data.subgraph({USER: users, ITEM: items})
    assert_ids(part, kinds, users, items.nonzero().flatten())
    part = T.RemoveIsolatedNodes()(data.clone())
    rows, columns = data[INTERACTS].edge_index
    described = (data[x, 'describes', ITEM].edge_index[1] for x in ('image', 'text'))
    assert_ids(part, kinds, rows.unique(), torch.cat([columns, *described]).unique())
    assert get_ids(data.node_type_subgraph([ITEM]), ITEM) == ITEMS[kinds[1]]


def test_transforms_copies_and_files(data, kinds, tmp_path):
    everyone = torch.arange(11), torch.arange(9)
    torch.save(data.to_dict(), tmp_path / 'data.pt')
    transforms = T.Compose(
        [StandardizeFeatures(), T.ToUndirected(), DegreeNorm(), ToAdjacency('csr')]
    )
    for copy in (
        data.clone(),
        data.to('cpu', non_blocking=True),
        T.ToSparseTensor()(data.clone()),
        transforms(data.clone()),
        T.RandomLinkSplit(edge_types=INTERACTS)(data)[2],
        HeteroData.from_dict(data.to_dict()),
        HeteroData.from_dict(torch.load(tmp_path / 'data.pt', weights_only=True)),
    ):
        assert_ids(copy, kinds, *everyone)


def test_batches(data, kinds):
    part = data.subgraph({USER: torch.tensor([1, 5]), ITEM: torch.tensor([8])})
    batch = Batch.from_data_list([part, data])
    assert get_ids(batch, USER)[:2] == [USERS[kinds[0]][u] for u in (1, 5)]
    assert_ids(batch.get_example(1), kinds, torch.arange(11), torch.arange(9))
    batch = next(iter(DataLoader([data, part], batch_size=2)))
    assert get_ids(batch, ITEM) == [*ITEMS[kinds[1]], ITEMS[kinds[1]][8]]


def test_homogeneous_graphs(data, kinds):
    homogeneous = data.to_homogeneous()
    names = homogeneous._node_type_names
    ids = decode_ids(homogeneous.ids)
    for kind, expected in ((USER, USERS[kinds[0]]), (ITEM, ITEMS[kinds[1]])):
        here = homogeneous.node_type == names.index(kind)
        assert [ids[i] for i in here.nonzero()] == expected
    nobody = homogeneous.node_type == names.index('image')
    assert {ids[i] for i in nobody.nonzero()} == {None if str in kinds else -1}


def test_batches_of_graphs_with_ids_of_different_widths(data, kinds):
    other = irregular_graph(dtype=torch.float32)
    wide = [f'{i}' * 40 for i in range(9)]
    set_ids(other, USER, range(11))
    set_ids(other, ITEM, wide)
    align_ids([data, other])
    validate_graph(data)
    for batch in (
        Batch.from_data_list([data, other]),
        next(iter(DataLoader([data, other], batch_size=2))),
    ):
        assert decode_ids(batch[USER].ids) == [*USERS[kinds[0]], *range(11)]
        assert decode_ids(batch[ITEM].ids) == [*ITEMS[kinds[1]], *wide]
        assert get_ids(batch.get_example(1), USER) == list(range(11))
        assert get_ids(batch.get_example(0), ITEM) == ITEMS[kinds[1]]
    align_ids([data, other])
    assert data[ITEM].ids.size(1) == other[USER].ids.size(1) == 48


@given(st.lists(TEXT) | st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_round_trip(ids):
    encoded = encode_ids(ids)
    assert decode_ids(encoded) == as_ids(encoded).tolist() == ids
    assert decode_ids(encoded.flip(0)) == ids[::-1]


def test_layout_by_hand():
    encoded = encode_ids(['ab', 'ü'])
    assert encoded.dtype == torch.uint8
    assert encoded.tolist() == [[97, 98] + 14 * [0], [0xC3, 0xBC] + 14 * [0]]
    assert encode_ids(np.array([7, -1])).tolist() == [7, -1]
    assert encode_ids(['x' * 17]).size() == (1, 32)
    with pytest.raises(ValueError, match='do not end in a null character'):
        encode_ids(['a\0'])


def test_ids_that_a_user_put_there():
    data = HeteroData()
    data[USER].num_nodes = 2
    for ids in (['a', 'b'], ('a', 'b'), np.array(['a', 'b'])):
        data[USER].ids = ids
        assert get_ids(data, USER) == ['a', 'b']
    data[USER].ids = ['a', None]
    with pytest.raises(ValueError, match=r"'user.ids' needs to hold an id in every"):
        get_ids(data, USER)


UUIDS = [uuid.UUID(int=7), uuid.UUID(int=2**127)]


@pytest.mark.parametrize(
    ('ids', 'expected'),
    [
        ([31.0, 7.0], [31, 7]),
        (np.float32([31, -7]), [31, -7]),
        (np.array([2.0**53 - 1, 0.0]), [2**53 - 1, 0]),
        (pd.Series([31.0, 7.0], dtype='Float64'), [31, 7]),
        (torch.tensor([31.0, 7.0]), [31, 7]),
        ([31, 7.0], [31, 7]),
        ([Decimal('31.00'), Decimal(10**17 + 1)], [31, 10**17 + 1]),
        (UUIDS, [str(x) for x in UUIDS]),
        ([UUIDS[0], 'a'], [str(UUIDS[0]), 'a']),
        (np.array([b'ab', b'c']), ['ab', 'c']),
        (['é'.encode(), 'b'], ['é', 'b']),
        (np.array([3, 2**63 - 1], dtype=np.uint64), [3, 2**63 - 1]),
        (pd.Categorical([31.0, 7.0]).to_numpy(), [31, 7]),
    ],
)
def test_ids_of_other_types(ids, expected):
    assert as_ids(ids).tolist() == expected
    assert [type(x) for x in as_ids(ids).tolist()] == [type(x) for x in expected]
    ids_of = IdMap(ids)
    assert ids_of.ids == expected
    assert [
        ids_of.get(x)
        for x in list(ids.numpy() if isinstance(ids, torch.Tensor) else ids)
    ] == [0, 1]
    assert ids_of.encode(ids[1:]).tolist() == [1]


@pytest.mark.parametrize(
    'ids',
    [
        [1.5],
        np.array([2.0**53]),  # It may have been 2 ** 53 + 1.
        np.float32([2**24]),
        [float('inf')],
        [float('nan')],
        [Decimal('nan')],
        [Decimal('1.5')],
        [b'\xff'],
        [UUIDS[0], 1],
        [1.0, '1'],
        [3 + 0j],
        np.array(['2024-01-01'], dtype='M8[D]'),
    ],
)
def test_what_is_no_id(ids):
    with pytest.raises(ValueError, match="'ids' needs to hold"):
        as_ids(ids)
