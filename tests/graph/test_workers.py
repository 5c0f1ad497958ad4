import torch
from graphs import irregular_graph
from torch_geometric.data import Batch

from lgmrec_pyg.graph import USER, get_ids, model_inputs, set_ids
from lgmrec_pyg.nn import LightGCN


def embed(graphs):
    torch.manual_seed(0)
    model = LightGCN.from_data(graphs[0], embedding_dim=8)
    batch = Batch.from_data_list(2 * graphs)
    return batch, *(x.detach() for x in model.embed(*model_inputs(graphs[0])))


def test_spawned_workers_use_graphs_and_kernels():
    data = irregular_graph(dtype=torch.float32)
    set_ids(data, USER, [f'u{i}' for i in range(11)])
    _, *expected = embed([data])  # A parallel region, after which forks may hang.
    loader = torch.utils.data.DataLoader(
        [data, data], num_workers=1, multiprocessing_context='spawn', collate_fn=embed
    )
    results = list(loader)
    assert len(results) == 2
    for batch, *out in results:
        assert get_ids(batch, USER) == 2 * get_ids(data, USER)
        torch.testing.assert_close(out, expected, rtol=0, atol=0)
