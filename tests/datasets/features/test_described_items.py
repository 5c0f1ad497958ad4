from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.features.described_items import add_labels, add_texts
from lgmrec_pyg.graph import INTERACTS, describes, modalities


class Lengths:
    name = 'lengths'

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[float(len(text))] for text in texts])


def make_graph() -> HeteroData:
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = 1, 3
    data['item'].ids = ['a', 'b', 'c']
    data[INTERACTS].edge_index = torch.zeros(2, 1, dtype=torch.long)
    return data


def test_add_texts(tmp_path: Path) -> None:
    texts = {'x': 'never encoded', 'c': 'four', 'b': '', 'a': 'one'}
    cache, encoder = str(tmp_path / 'texts.sqlite'), Lengths()
    out = add_texts(make_graph(), texts, encoder, cache)
    assert out['text'].x.tolist() == [[3], [4]]
    assert out[describes('text')].edge_index.tolist() == [[0, 1], [0, 2]]
    assert sorted(encoder.seen) == ['four', 'one']
    again = Lengths()
    out = add_texts(make_graph(), texts, again, cache)
    assert out['text'].x.tolist() == [[3], [4]]
    assert again.seen == []
    assert modalities(add_texts(make_graph(), {'x': 'y'}, encoder)) == []


def test_add_labels() -> None:
    labels = {'x': ['other'], 'c': ['new', 'old'], 'b': [], 'a': ['old']}
    out = add_labels(make_graph(), labels, 'age')
    assert out['age'].x.tolist() == [[0, 1], [1, 1]]
    assert out[describes('age')].edge_index.tolist() == [[0, 1], [0, 2]]
    assert modalities(add_labels(make_graph(), {'x': ['y']}, 'age')) == []
