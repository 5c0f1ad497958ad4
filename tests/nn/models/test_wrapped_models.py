r"""What else is done to models: averaged, replicated, compiled, copied."""

import copy
import pickle

import numpy as np
import pytest
import torch
from graphs import irregular_graph
from torch.optim.swa_utils import AveragedModel

import lgmrec_pyg.nn as nn
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import LGMRec, LightGCN
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.storage import load_model, save_model
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import SimilarItems

BATCH = torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([4, 4])
KWARGS = {'PGL': {'contrast_weight': 0.1}, 'DGR': {'alphas': [0.1, 1.1]}}


@pytest.fixture(scope='module')
def data():
    return SimilarItems(k=3, union=True)(irregular_graph(dtype=torch.float32))


def build(name, data):
    return getattr(nn, name).from_data(data, embedding_dim=8, **KWARGS.get(name, {}))


@pytest.mark.parametrize('name', ['LGMRec', *nn.PUBLISHED])
def test_training_under_autocast(name, data):
    model = build(name, data)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = model.loss(model(*model_inputs(data)), *BATCH).total
    loss.backward()
    assert loss.isfinite()
    grads = [x.grad for x in model.parameters() if x.grad is not None]
    assert len(grads) > 0
    assert all(bool(x.isfinite().all()) for x in grads)


@pytest.mark.parametrize('name', ['LGMRec', *nn.PUBLISHED])
def test_copies_of_a_trained_model(name, data):
    model = build(name, data)
    fit(model, data, epochs=1, progress=False)
    inputs = model_inputs(data)
    expected = model.embed(*inputs)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for a, b in zip(other.embed(*inputs), expected, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize('name', ['LGMRec', *nn.PUBLISHED])
def test_a_pickle_is_without_the_graph(name, data):
    model = build(name, data).train()
    size = len(pickle.dumps(model))
    model.loss(model(*model_inputs(data)), *BATCH)
    assert len(pickle.dumps(model)) < size + 200  # The seed of a draw.


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', ['LGMRec', *nn.PUBLISHED])
def test_half_precision_is_close_to_single(name, dtype, data):
    model = build(name, data).eval()
    expected = [x.detach().clone() for x in model.embed(*model_inputs(data))]
    half = copy.copy(data)
    for node in ('image', 'text'):
        half[node].x = data[node].x.to(dtype)
    for x, y in zip(model.to(dtype).embed(*model_inputs(half)), expected, strict=True):
        assert x.dtype == dtype
        torch.testing.assert_close(x.float(), y, rtol=0.05, atol=0.05)


@pytest.mark.parametrize('name', ['LGMRec', *nn.PUBLISHED])
def test_a_batch_has_one_item_of_both_kinds_a_user(name, data):
    model = build(name, data)
    out = model(*model_inputs(data))
    for batch in (
        (BATCH[0], BATCH[1][:1], BATCH[2]),
        (*BATCH[:2], BATCH[2].view(1, 2)),
    ):
        with pytest.raises(ValueError, match='need to be of one size'):
            model.loss(out, *batch)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda model: torch.compile(model, backend='eager'),
        torch.nn.DataParallel,
        AveragedModel,
        lambda model: torch.nn.DataParallel(torch.compile(model, backend='eager')),
    ],
)
def test_wrapped_models_are_saved_and_rank(wrap, data, tmp_path):
    model = LGMRec.from_data(data, embedding_dim=8).eval()
    wrapped = wrap(model)
    save_model(wrapped, tmp_path, data=data)
    other = load_model(tmp_path, data=data)
    assert torch.equal(other.user_embedding.weight, model.user_embedding.weight)
    found = Recommender.from_model(wrapped, data).recommend(0, k=3).ids
    assert found == Recommender.from_model(model, data).recommend(0, k=3).ids


def test_sizes_that_numpy_counted(data, tmp_path):
    model = LightGCN(np.int64(11), np.int32(9), embedding_dim=np.int64(8))
    save_model(model, tmp_path, data=data)
    assert load_model(tmp_path).settings['embedding_dim'] == 8
