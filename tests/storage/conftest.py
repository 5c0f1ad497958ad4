import pytest
import torch
from graphs import irregular_graph

from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.storage import save_model


@pytest.fixture
def data():
    data = irregular_graph(dtype=torch.float32)
    data['user'].ids = [f'u{i}' for i in range(11)]
    data['item'].ids = list(range(900, 909))
    return data


@pytest.fixture
def saved(data, tmp_path):
    folder = tmp_path / 'saved'
    model = LGMRec.from_data(data, embedding_dim=8)
    save_model(model, folder, data=data, metrics={'Recall@20': 0.1 + 0.2})
    return folder
