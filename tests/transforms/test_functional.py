from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency


def test_functional_names() -> None:
    dataset = SyntheticMultimodal('tiny')
    pipe = dataset.to_datapipe().standardize_features(columns=False)
    data = next(iter(pipe.degree_norm().to_adjacency(layout='csr')))

    expected = StandardizeFeatures(columns=False)(dataset[0])
    expected = ToAdjacency('csr')(DegreeNorm()(expected))
    assert data['text'].x.equal(expected['text'].x)
    assert data[INTERACTS].adj_t.to_dense().equal(expected[INTERACTS].adj_t.to_dense())
