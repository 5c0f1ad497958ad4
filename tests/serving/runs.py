r"""Folders of runs whose right answers are known."""

import torch
from checkerboard import checkerboard

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, set_ids
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.storage import save_graph, save_model

SMALL = {'num_users': 60, 'num_items': 40, 'num_interactions': 400}


def write_checkerboard(folder, **kwargs):
    checkerboard(**kwargs).save(folder / 'embeddings.safetensors')
    return folder


def write_run(folder, ids='strings', seed=0):
    r"""A whole run, with a model that was not trained."""
    data = SyntheticMultimodal('tiny', **SMALL, seed=seed)[0]
    if ids == 'strings':
        set_ids(data, 'user', [f'u{i}' for i in range(60)])
        set_ids(data, 'item', [f'i{i}' for i in range(40)])
    elif ids == 'integers':
        set_ids(data, 'user', [7 * i - 20 for i in range(60)])
        set_ids(data, 'item', [3 * i + 1000 for i in range(40)])
    torch.manual_seed(seed)
    model = LGMRec.from_data(data, embedding_dim=8)
    recommender = Recommender.from_model(model, data)
    save_model(model, folder, data=data, metrics={'Recall@20': 0.25})
    save_graph(data, folder / 'graph.safetensors')
    recommender.save(folder / 'embeddings.safetensors')
    return recommender, data


def degree_of_items(data):
    pairs = data[INTERACTS]
    pairs = [pairs.edge_index, pairs.val_edge_label_index, pairs.test_edge_label_index]
    return torch.bincount(torch.cat(pairs, dim=1)[1], minlength=40)
