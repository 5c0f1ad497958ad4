r"""Runs of a second, to save, report and compare."""

import torch
from torch_geometric.data import HeteroData

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes, set_ids
from lgmrec_pyg.reporting import Run, find_preset, run_record
from lgmrec_pyg.training import fit


def finished_run(
    model='LGMRec', preset='recommended', name='run', ids=None, epochs=3, catalogue=None
):
    r"""A run on tiny data, whose items have the given ids, if any."""
    torch.manual_seed(0)
    data = SyntheticMultimodal('tiny')[0]
    if ids is not None:
        set_ids(data, 'item', ids)
    chosen = find_preset(model, preset)
    graph = chosen.transform(data)
    net = getattr(nn, model).from_data(graph, **chosen.model)
    history = fit(net, graph, lr=chosen.lr, epochs=epochs, progress=False)
    settings = {'model': model, 'preset': preset}
    record = run_record('tiny', data, history, settings, seconds={'setup': 0.5})
    more = {} if catalogue is None else {'catalogue': catalogue}
    return Run(net, data, record, name, chosen.transform, **more)


class ByText(torch.nn.Module):
    r"""Users want the one item whose text is theirs; pictures do not matter."""

    feature_dims = {'image': 3, 'text': 60}  # noqa: RUF012

    def embed(self, x_dict, graph):
        return torch.eye(60), x_dict['text'] + 0 * x_dict['image'].sum()


def planted_run() -> Run:
    data = HeteroData()
    data['user'].num_nodes = data['item'].num_nodes = 60
    everyone = torch.arange(60)
    data[INTERACTS].edge_index = torch.stack([everyone, (everyone + 1) % 60])
    data[INTERACTS].test_edge_label_index = torch.stack([everyone, everyone])
    for name, x in (('image', torch.randn(60, 3)), ('text', torch.eye(60))):
        data[name].x = x
        data[describes(name)].edge_index = torch.stack([everyone, everyone])
    return Run(ByText(), data, {})
