from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from graphs import inputs_of, irregular_graph
from small_runs import Validate, run
from torch.nn import Embedding, Module, Sequential

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import HypergraphContrast, LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

DATA = irregular_graph(dtype=torch.float32)
PAIRS = DATA[INTERACTS].edge_index
MISSING = torch.ones(11, 9).index_put_(tuple(PAIRS), torch.zeros(())).nonzero().t()
VAL, TEST = MISSING[:, ::2], MISSING[:, 1::2]


def evaluator(pairs=VAL, known=PAIRS, **kwargs):
    return Evaluator(pairs, known, 11, 9, **{'ks': [5, 20]} | kwargs)


class Weighted(HypergraphContrast):
    def __init__(self, weight=1.0, persistent=False, **kwargs):
        super().__init__(**kwargs)
        self.weights = torch.full((3,), weight)
        self.options = {'sides': [1, weight]}
        self.register_buffer('buffer', self.weights.clone(), persistent=persistent)


def flipped():
    data = DATA.clone()
    data[INTERACTS].edge_index = PAIRS.flip(1)
    return data


def inputs(change=None, seed=0):
    data = DATA.clone()
    data[INTERACTS].edge_index = irregular_graph(seed=seed)[INTERACTS].edge_index
    if change is not None:
        change(data['text'].x)
    return inputs_of(data, 'csr', torch.float32)


def contrast(module):
    return {'model_kwargs': {'contrast': module}}


def changed_row(x):
    x[3] = x[4]


def rounded(x):
    x *= 1 + 1e-7 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


BASE = {'validate': evaluator(), 'inputs': inputs()} | contrast(Weighted())
CHANGES = [
    ({'lr': 0.2}, r'optimizer\[0\].lr is 0.2 instead of 0.1'),
    ({'optimizer': lambda x: torch.optim.SGD(x, 0.1)}, "optimizer is 'SGD' instead"),
    ({'model_kwargs': {'dropout': 0.1}}, 'settings.dropout is 0.1 instead of 0.5'),
    ({'model_kwargs': {'embedding_dim': 5}}, 'settings.embedding_dim is 5 instead'),
    ({'batch_size': 11}, 'sampler.batch_size is 11 instead of 10'),
    ({'eval_every': 2}, 'eval_every is 2 instead of 1'),
    ({'max_grad_norm': 1.0}, 'max_grad_norm is 1.0 instead of None'),
    ({'mode': 'min'}, "mode is 'min' instead of 'max'"),
    ({'monitor': 'NDCG@20'}, "monitor is 'NDCG@20' instead of 'Recall@20'"),
    ({'data': flipped()}, r'\(got other training pairs\)'),
    ({'inputs': inputs(seed=1)}, r"\(got other inputs\[1\]\[\('user', 'interacts'"),
    ({'validate': Validate()}, "validate is 'Validate' instead of 'Evaluator'"),
    ({'validate': evaluator(TEST)}, 'got other pairs to evaluate'),
    ({'validate': evaluator(known=PAIRS[:, 1:])}, 'other pairs to evaluate'),
    ({'validate': evaluator(ks=[20])}, r'validate.ks is \[20\] instead of \[5, 20\]'),
    (contrast(Sequential(Weighted())), "model.contrast is 'Sequential' instead of"),
    (contrast(Weighted(temperature=0.5)), 'contrast.temperature is 0.5 instead of 0.2'),
    (contrast(Weighted(2.0)), r'(other model.contrast.\w+(; |\))){3}'),
    (contrast(Weighted(persistent=True)), 'no model.contrast.buffer; '),
]


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp('run') / 'run'
    run(checkpoint=path, epochs=1, **BASE)
    return path


@pytest.mark.parametrize(('change', 'message'), CHANGES)
def test_another_run_is_refused(path, change, message):
    before = path.read_bytes()
    change = BASE | change
    change['model_kwargs'] = BASE['model_kwargs'] | change['model_kwargs']
    with pytest.raises(ValueError, match=message) as error:
        run(checkpoint=path, resume=True, **change)
    assert 'sha256' not in str(error.value)
    assert path.read_bytes() == before


SAME = [
    {},
    {'validate': evaluator(VAL.flip(1))},
    {'validate': evaluator(chunk_size=2)},
    {'validate': evaluator(ks=torch.tensor([5, 20]).numpy())},
]


@pytest.mark.parametrize('change', SAME)
def test_the_same_run_is_not_refused(path, change):
    assert run(checkpoint=path, resume=True, epochs=1, **BASE | change)[2] == 0


def test_a_module_that_was_used_is_the_same(path):
    change = {'validate': evaluator()}
    change['validate'](torch.ones(11, 2), torch.ones(9, 2))
    assert run(checkpoint=path, resume=True, epochs=1, **BASE | change)[2] == 0


@pytest.mark.parametrize('change', [changed_row, rounded])
def test_a_warning_names_other_features(path, change):
    message = r"same run \(got other values of inputs\[0\]\['text'\]\): remove it"
    with pytest.warns(UserWarning, match=message):
        run(checkpoint=path, resume=True, epochs=1, **BASE | {'inputs': inputs(change)})


class Graph(NamedTuple):
    pairs: torch.Tensor
    options: dict


@dataclass
class Inputs:
    x: torch.Tensor
    graph: Graph


class Plain(Module):
    def __init__(self):
        super().__init__()
        self.user, self.item = Embedding(11, 2), Embedding(9, 2)

    def forward(self, inputs):
        return self.user.weight, self.item.weight

    def loss(self, out, user, pos, neg):
        return Total((out[0][user] * (out[1][neg] - out[1][pos])).mean())

    def embed(self, inputs):
        return self(inputs)


class Total(NamedTuple):
    total: torch.Tensor


def test_inputs_of_any_kind(tmp_path):
    def train(x, pairs, option):
        sampler = TripletSampler(PAIRS, 11, 9)
        value = Inputs(x, Graph(pairs, {'k': [option]}))
        fit(Plain(), [value], sampler, epochs=1, progress=False, **options)

    options = {'checkpoint': tmp_path / 'run', 'resume': True}
    for _ in range(2):
        train(torch.ones(3), PAIRS, 1)
    for arguments in [
        (torch.ones(4), PAIRS, 1),
        (torch.ones(3), PAIRS.flip(1), 1),
        (torch.ones(3), PAIRS, 2),
    ]:
        with pytest.raises(ValueError, match=r'other inputs\[0\]'):
            train(*arguments)
    with pytest.warns(UserWarning, match=r'other values of inputs\[0\]'):
        train(torch.zeros(3), PAIRS, 1)


class Stateful(Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self._cache = torch.rand(3)

    def forward(self, anchor, key, index):
        return self.function(anchor.dense()[index]).sum()


def test_functions_count_by_name_and_private_attributes_not_at_all(tmp_path):
    kwargs = {'checkpoint': tmp_path / 'run', 'resume': True}
    run(epochs=1, **kwargs, **contrast(Stateful(torch.relu)))
    run(epochs=2, **kwargs, **contrast(Stateful(torch.relu)))
    with pytest.raises(ValueError, match=r'other model.contrast.function'):
        run(epochs=3, **kwargs, **contrast(Stateful(torch.tanh)))


def test_a_module_with_nan_and_a_mask_continues(tmp_path):
    def module(value, mask):
        out = Stateful(torch.relu)
        out.value, out.values = value, [value]
        out.register_buffer('mask', mask, persistent=False)
        return contrast(out)

    kwargs = {'checkpoint': tmp_path / 'run', 'resume': True}
    mask = torch.triu(torch.full((3, 3), -torch.inf), 1)
    run(epochs=1, **kwargs, **module(float('nan'), mask))
    run(epochs=2, **kwargs, **module(float('nan'), mask))
    with pytest.raises(ValueError, match=r"value is 1.0 instead of 'NaN'"):
        run(epochs=3, **kwargs, **module(1.0, mask))
    with pytest.raises(ValueError, match=r'other model.contrast.mask'):
        run(epochs=3, **kwargs, **module(float('nan'), mask.t()))


def test_modalities_in_another_order_are_refused(tmp_path):
    data = SyntheticMultimodal('tiny')[0]
    for name in ('image', 'text'):
        data[name].x = data[name].x[:, :4]
    data = ToAdjacency('csr')(DegreeNorm()(data))
    sizes = data['user'].num_nodes, data['item'].num_nodes
    options = {'checkpoint': tmp_path / 'run', 'resume': True, 'progress': False}
    for i, names in enumerate((['image', 'text'], ['text', 'image'])):
        model = LGMRec(*sizes, dict.fromkeys(names, 4), embedding_dim=4)
        arguments = model, model_inputs(data), TripletSampler.from_data(data)
        if i == 0:
            fit(*arguments, epochs=1, **options)
        else:
            with pytest.raises(ValueError, match='other order of weights'):
                fit(*arguments, epochs=2, **options)
