import numpy as np
import pandas as pd
import pytest
import torch
from graphs import irregular_graph

from lgmrec_pyg.datasets import MultimodalDataset, graph_from_interactions
from lgmrec_pyg.graph import INTERACTS, describes, model_inputs, validate_graph
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.recommend import embed_new_items
from lgmrec_pyg.transforms import RemoveMissing, StandardizeFeatures, ToAdjacency


def with_zeros(data):
    data = data.clone()
    data['image'].x[[0, 2]] = 0
    return data


def without(data):
    keep = torch.arange(data['image'].num_nodes)
    keep = keep[(keep != 0) & (keep != 2)]
    return data.subgraph({'image': keep})


def test_zero_rows_become_no_nodes():
    data = irregular_graph()
    data[INTERACTS].val_edge_label_index = torch.tensor([[0], [8]])
    out = RemoveMissing()(with_zeros(data))
    validate_graph(out)
    assert torch.equal(out['image'].x, data['image'].x[[1, *range(3, 8)]])
    node, item = out[describes('image')].edge_index
    old_node, old_item = data[describes('image')].edge_index
    kept = (old_node != 0) & (old_node != 2)
    assert torch.equal(item, old_item[kept])
    assert torch.equal(out['image'].x[node], data['image'].x[old_node[kept]])
    assert torch.equal(out['text'].x, data['text'].x)
    assert out[INTERACTS].to_dict().keys() == data[INTERACTS].to_dict().keys()
    assert torch.equal(out[INTERACTS].edge_index, data[INTERACTS].edge_index)
    assert torch.equal(RemoveMissing()(data)['image'].x, data['image'].x)


@pytest.mark.parametrize('standardize', [False, True])
def test_models_take_them_for_items_that_lack_it(standardize):
    data = irregular_graph()
    model = LGMRec.from_data(data, embedding_dim=8).double().eval()

    def embed(graph):
        graph = StandardizeFeatures()(graph) if standardize else graph
        return model.embed(*model_inputs(ToAdjacency()(graph)))

    expected = embed(without(data))
    for a, b in zip(embed(RemoveMissing()(with_zeros(data))), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    content = embed(with_zeros(data))  # As published.
    assert not torch.allclose(content[0], expected[0])


def test_new_items_are_embedded_alike():
    data = irregular_graph()
    item_emb, x = torch.randn(9, 8), {'image': torch.randn(2, 4)}
    expected = embed_new_items(without(data), item_emb, x)
    torch.testing.assert_close(embed_new_items(with_zeros(data), item_emb, x), expected)


def test_graphs_of_own_data_have_no_such_nodes():
    pairs = pd.DataFrame({'user_id': [0, 0, 1], 'item_id': [5, 6, 7]})
    x = np.array([[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
    features = {'image': ([5, 6, 7], x)}
    data = graph_from_interactions(pairs, features, val_ratio=0, test_ratio=0)
    assert data['image'].x.tolist() == [[0, 1], [2, 0]]
    assert data[describes('image')].edge_index.tolist() == [[0, 1], [0, 2]]
    with pytest.raises(ValueError, match='or are zero'):
        graph_from_interactions(pairs, {'image': ([5, 6, 7], 0 * x)})


def test_published_files_are_read_as_they_are(tmp_path):
    lines = ['userID\titemID\tx_label', '0\t0\t0', '0\t1\t0', '1\t2\t0', '1\t0\t0']
    (tmp_path / 'own').mkdir()
    (tmp_path / 'own' / 'own.inter').write_text('\n'.join(lines) + '\n')
    x = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]], dtype=np.float32)
    np.save(tmp_path / 'own' / 'image_feat.npy', x)
    data = MultimodalDataset.from_folder(tmp_path / 'own')[0]
    assert data['image'].x.tolist() == x.tolist()
    assert RemoveMissing()(data)['image'].x.tolist() == [[1, 2], [3, 4]]


def test_it_comes_before_the_conversion():
    data = ToAdjacency('csr')(with_zeros(irregular_graph()))
    with pytest.raises(ValueError, match="apply 'RemoveMissing' before"):
        RemoveMissing()(data)


def test_as_many_labels_as_edges_are_no_attributes_of_edges():
    data = with_zeros(irregular_graph())
    size = data[INTERACTS].num_edges
    taken = torch.zeros(11, 9, dtype=torch.bool)
    taken[tuple(data[INTERACTS].edge_index)] = True
    labels = (~taken).nonzero().t()[:, :size]
    assert labels.size(1) == size
    data[INTERACTS].val_edge_label_index = labels
    out = RemoveMissing()(data)
    assert torch.equal(out[INTERACTS].val_edge_label_index, labels)
    assert out['image'].num_nodes == data['image'].num_nodes - 2
