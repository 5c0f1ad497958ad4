import re

import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes, modalities, validate_graph


def degrees(data: HeteroData) -> tuple[Tensor, Tensor]:
    user, item = data[INTERACTS].edge_index
    return (
        torch.bincount(user, minlength=data['user'].num_nodes),
        torch.bincount(item, minlength=data['item'].num_nodes),
    )


def labels(data: HeteroData) -> tuple[Tensor, Tensor]:
    store = data[INTERACTS]
    return store.val_edge_label_index, store.test_edge_label_index


def test_synthetic_multimodal() -> None:
    dataset = SyntheticMultimodal('tiny', transform=T.ToUndirected())
    assert str(dataset) == 'SyntheticMultimodal()'
    assert len(dataset) == 1
    assert len(dataset[0].edge_types) == 6
    data = SyntheticMultimodal('tiny')[0]
    validate_graph(data)
    assert data['user'].num_nodes == 100
    assert data['item'].num_nodes == 80
    assert modalities(data) == ['image', 'text']
    assert data['image'].x.size() == (data[describes('image')].num_edges, 16)
    assert data['text'].x.dtype == torch.float32


def test_synthetic_multimodal_default_has_the_promised_structure() -> None:
    data = SyntheticMultimodal()[0]
    validate_graph(data)
    user, item = degrees(data)
    assert int(user.min()) >= 1
    # Every user has withheld pairs in both splits:
    for pairs in labels(data):
        assert pairs[0].unique().numel() == data['user'].num_nodes
    # Cold items are 5 % of all items, some of them withheld for evaluation:
    cold = item == 0
    assert 0.05 <= cold.float().mean() < 0.07
    assert cold[labels(data)[1][1]].any()
    # The most popular tenth of items has far more than a tenth of all pairs:
    popular = item.sort(descending=True).values[: item.numel() // 10]
    assert popular.sum() > 0.25 * item.sum()
    for modality in modalities(data):
        assert data[describes(modality)].edge_index[1].unique().numel() == (
            data[modality].num_nodes
        )
        share = data[modality].num_nodes / data['item'].num_nodes
        assert 0.92 < share < 0.98


def test_synthetic_multimodal_features_tell_what_users_choose() -> None:
    # Items of the same user are more alike in every modality than random ones.
    data = SyntheticMultimodal(missing_share=0.0)[0]
    user, item = data[INTERACTS].edge_index
    other = item[1:][user[1:] == user[:-1]]
    item = item[:-1][user[1:] == user[:-1]]
    for modality in modalities(data):
        x = torch.nn.functional.normalize(data[modality].x)
        same = (x[item] * x[other]).sum(dim=1).mean()
        random = (x[item] * x[other.flip(0)]).sum(dim=1).mean()
        assert same > random + 0.1


def test_synthetic_multimodal_baby_is_as_large_and_sparse() -> None:
    data = SyntheticMultimodal('baby', feature_dims={'text': 8})[0]
    assert data['user'].num_nodes == 19_445
    assert data['item'].num_nodes == 7_050
    sizes = [data[INTERACTS].num_edges, *(pairs.size(1) for pairs in labels(data))]
    assert sizes == pytest.approx([118_551, 21_682, 20_559], rel=0.1)


def test_synthetic_multimodal_depends_on_the_seed_alone() -> None:
    first = SyntheticMultimodal('tiny', seed=3)[0]
    torch.manual_seed(99)
    second = SyntheticMultimodal('tiny', seed=3)[0]
    other = SyntheticMultimodal('tiny', seed=4)[0]
    for (key, store), same in zip(
        first.to_dict().items(), second.to_dict().values(), strict=True
    ):
        for name, value in store.items():
            equal = value.equal(same[name]) if torch.is_tensor(value) else True
            assert equal, (key, name)
    assert not first['text'].x.equal(other['text'].x[: first['text'].num_nodes])
    assert not first[INTERACTS].edge_index.equal(other[INTERACTS].edge_index)


def test_synthetic_multimodal_consumes_no_global_randomness() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    SyntheticMultimodal('tiny')
    assert torch.rand(1).equal(expected)


def test_synthetic_multimodal_without_cold_items_or_gaps() -> None:
    data = SyntheticMultimodal('tiny', cold_share=0.0, missing_share=0.0)[0]
    total = data[INTERACTS].num_edges + sum(pairs.size(1) for pairs in labels(data))
    user = torch.cat([data[INTERACTS].edge_index[0], *(p[0] for p in labels(data))])
    assert torch.bincount(user).min() >= 5
    assert total == pytest.approx(1_000, rel=0.15)
    assert data['image'].num_nodes == data['text'].num_nodes == 80


@given(
    st.integers(1, 40),
    st.integers(10, 40),
    st.integers(1, 5),
    st.lists(st.sampled_from(['image', 'text', 'audio']), unique=True),
    st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_synthetic_multimodal_of_any_size(
    num_users: int, num_items: int, num_groups: int, names: list[str], seed: int
) -> None:
    data = SyntheticMultimodal(
        num_users=num_users,
        num_items=num_items,
        num_interactions=7 * num_users,
        num_groups=num_groups,
        feature_dims=dict.fromkeys(names, 3),
        cold_share=0.0,
        seed=seed,
    )[0]
    validate_graph(data)
    assert modalities(data) == names
    user, _ = degrees(data)
    assert int(user.min()) >= 3
    val, test = labels(data)
    counts = torch.bincount(val[0], minlength=num_users)
    assert counts.equal(torch.bincount(test[0], minlength=num_users))
    assert int(counts.min()) >= 1


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'preset': 'huge'}, "'preset' needs to be in ['tiny', 'small', 'baby'] ("),
        ({'num_items': 9}, 'There need to be 10 items and 5 interactions a user at'),
        ({'cold_share': 0.9}, "'cold_share' needs to be in [0, 0.5] (got 0.9)"),
        ({'num_interactions': 400}, 'There need to be 10 items and 5 interactions a'),
    ],
)
def test_synthetic_multimodal_errors(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        SyntheticMultimodal(**{'preset': 'tiny', **arguments})
