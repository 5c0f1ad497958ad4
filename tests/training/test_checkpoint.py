import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from graphs import inputs_of, irregular_graph

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import HypergraphContrast, LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.storage import load_metadata, load_tensors, save_tensors
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

COURSE = ('losses', 'metrics', 'eval_epochs', 'best_epoch', 'stopped_by', 'epochs_run')


def course(history):
    return {key: history[key] for key in COURSE}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Interrupt:
    r"""Somebody presses Ctrl-C in one of the evaluations of a run."""

    def __init__(self, at=None):
        self.at, self.num_calls = at, 0

    def __call__(self, user_emb, item_emb):
        self.num_calls += 1
        if self.num_calls == self.at:
            raise KeyboardInterrupt
        return {'Recall@20': float((user_emb @ item_emb.t()).std())}


class Count(TripletSampler):
    num_epochs = 0

    def __iter__(self):
        self.num_epochs += 1
        return super().__iter__()


def run(validate=None, seed=0, optimizer=None, data=None, inputs=None, **kwargs):
    model_kwargs = {
        key: kwargs.pop(key)
        for key in ('dropout', 'embedding_dim', 'contrast')
        if key in kwargs
    }
    sampler_kwargs = {'batch_size': kwargs.pop('batch_size', 10)}
    torch.manual_seed(seed)
    data = irregular_graph(dtype=torch.float32) if data is None else data
    model = LGMRec.from_data(data, **{'embedding_dim': 4} | model_kwargs)
    pairs = data[INTERACTS].edge_index
    sampler = Count(pairs, 11, 9, **sampler_kwargs)
    if optimizer is not None:
        optimizer = optimizer(model.parameters())
    history = fit(
        model,
        inputs or inputs_of(data, 'edge_index', torch.float32),
        sampler,
        validate or Interrupt(),
        optimizer=optimizer,
        progress=False,
        **{'epochs': 6, 'lr': 0.1} | kwargs,
    )
    return model.state_dict(), course(history.to_dict()), sampler.num_epochs


def test_checkpoints_do_not_change_a_run(tmp_path):
    weights, history, _ = run()
    others, other, _ = run(checkpoint=tmp_path / 'run')
    assert equal(weights, others)
    assert history == other
    assert os.listdir(tmp_path) == ['run']


OPTIMIZERS = {
    'default': None,
    'adam': lambda x: torch.optim.Adam(x, 0.1, fused=False, amsgrad=True),
    'adamw': lambda x: torch.optim.AdamW(x, torch.tensor(0.1)),
    'momentum': lambda x: torch.optim.SGD(x, 0.1, momentum=0.9, nesterov=True),
    'sgd': lambda x: torch.optim.SGD(x, 0.1),
    'rprop': lambda x: torch.optim.Rprop(x, 0.01),
    'groups': lambda x: torch.optim.Adagrad(
        [{'params': [p], 'lr': 0.1 / (i + 1)} for i, p in enumerate(x)]
    ),
}


@pytest.mark.parametrize('name', list(OPTIMIZERS))
@pytest.mark.parametrize('every', [1, 3])
def test_an_interrupted_run_continues(tmp_path, name, every):
    kwargs = {'optimizer': OPTIMIZERS[name], 'checkpoint_every': every}
    kwargs |= {'checkpoint': tmp_path / 'run', 'resume': True}
    weights, history, _ = run(optimizer=OPTIMIZERS[name])
    _, partial, _ = run(Interrupt(at=5), **kwargs)
    assert partial['stopped_by'] == 'interrupt'
    assert len(partial['losses']) == 5
    others, other, num_epochs = run(seed=1, **kwargs)
    assert num_epochs == 6 - {1: 4, 3: 3}[every]
    assert other == history
    assert equal(weights, others)


def test_a_finished_run_returns_at_once(tmp_path):
    for kwargs in ({'epochs': 3}, {'patience': 1, 'epochs': 100}):
        kwargs['checkpoint'] = tmp_path / f'run {len(kwargs)}'
        weights, history, _ = run(**kwargs)
        others, other, num_epochs = run(seed=1, resume=True, **kwargs)
        assert num_epochs == 0
        assert other == history
        assert equal(weights, others)
    assert history['stopped_by'] == 'patience'


def test_a_finished_run_may_go_on(tmp_path):
    kwargs = {'checkpoint': tmp_path / 'run', 'resume': True}
    weights, history, _ = run(epochs=6)
    run(epochs=4, **kwargs)
    others, other, num_epochs = run(epochs=6, seed=1, **kwargs)
    assert num_epochs == 2
    assert other == history
    assert equal(weights, others)


def test_the_global_generator_continues_after_a_finished_run(tmp_path):
    kwargs = {'checkpoint': tmp_path / 'run', 'resume': True}
    run(**kwargs)
    expected = torch.rand(3)
    run(seed=1, **kwargs)
    assert torch.equal(torch.rand(3), expected)


def test_a_checkpoint_is_not_lost_by_accident(tmp_path):
    path = tmp_path / 'run'
    run(checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="pass 'resume=True' to continue"):
        run(checkpoint=path)
    assert path.read_bytes() == before


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"'checkpoint_every' .* \(got 0\)"):
        run(checkpoint=tmp_path / 'run', checkpoint_every=0)
    with pytest.raises(ValueError, match=r"'resume' needs 'checkpoint'"):
        run(resume=True)
    assert os.listdir(tmp_path) == []


def other_pairs():
    data = irregular_graph(dtype=torch.float32)
    data[INTERACTS].edge_index = data[INTERACTS].edge_index.flip(1)
    return data


def other_graph():
    data = irregular_graph(dtype=torch.float32)
    del data[INTERACTS].edge_index
    data[INTERACTS].edge_index = irregular_graph(seed=1)[INTERACTS].edge_index
    return inputs_of(data, 'edge_index', torch.float32)


CHANGES = [
    ({'lr': 0.2}, r"'optimizer\[0\].lr' is 0.2 instead of 0.1"),
    ({'optimizer': OPTIMIZERS['sgd']}, "'optimizer' is 'SGD' instead of 'Adam'"),
    ({'dropout': 0.1}, "'settings.dropout' is 0.1 instead of 0.5"),
    ({'embedding_dim': 5}, "'settings.embedding_dim' is 5 instead of 4"),
    ({'batch_size': 11}, "'sampler.batch_size' is 11 instead of 10"),
    ({'eval_every': 2}, "'eval_every' is 2 instead of 1"),
    ({'monitor': 'NDCG@20'}, "'monitor' is 'NDCG@20' instead of 'Recall@20'"),
    ({'data': other_pairs()}, "'training pairs' is .* instead of"),
    ({'inputs': other_graph()}, r"'inputs\[1\]' is .* instead of"),
    ({'contrast': torch.nn.Sequential(HypergraphContrast())}, "'modules' is .* inst"),
]


@pytest.mark.parametrize(('change', 'message'), CHANGES)
def test_another_run_is_refused(tmp_path, change, message):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=1)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        run(checkpoint=path, resume=True, **change)
    assert path.read_bytes() == before


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=1)
    content = path.read_bytes()
    tensors, metadata = load_tensors(path), load_metadata(path)

    def refused(match):
        with pytest.raises(ValueError, match=match):
            run(checkpoint=path, resume=True)

    for size in (0, 7, 100, len(content) - 1):
        path.write_bytes(content[:size])
        refused('is damaged')
    torch.save({'model': tensors}, path)
    refused('got a pickle')
    save_tensors(tensors, path)
    refused(r'a checkpoint of version 1 \(got \(None, None\)\)')
    for key in ('history', 'optimizer', 'best_value', 'num_worse', 'run'):
        for value in ('', '[', '7' * 5000, '[' * 5000, '{"tensor": "x"}', '[[1]]'):
            save_tensors(tensors, path, metadata | {key: value})
            refused('remove it to start anew|another')
    for name in tensors:
        rest = {key: x for key, x in tensors.items() if key != name}
        save_tensors(rest, path, metadata)
        refused('remove it to start anew')
        save_tensors(tensors | {name: torch.zeros(3, 1, 2)}, path, metadata)
        refused('remove it to start anew')


def test_a_folder_that_is_not_writable_is_found_before_the_first_epoch(tmp_path):
    (tmp_path / 'file').write_text('')
    validate = Interrupt()
    with pytest.raises(OSError, match='leads through no file'):
        run(validate, checkpoint=tmp_path / 'file' / 'run')
    assert validate.num_calls == 0


class Limit(Interrupt):
    r"""No file can be written from the third evaluation on."""

    def __call__(self, user_emb, item_emb):
        if self.num_calls == 2:
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit))
        return super().__call__(user_emb, item_emb)


def test_a_disk_that_fills_up(tmp_path):
    path = tmp_path / 'run'
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match='raise the limit on the size of files'):
            run(Limit(), checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert os.listdir(tmp_path) == ['run']
    weights, history, _ = run()
    others, other, num_epochs = run(seed=1, checkpoint=path, resume=True)
    assert num_epochs == 4
    assert other == history
    assert equal(weights, others)


class Shared(LGMRec):
    r"""Two names of one tensor."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.alias = self.user_embedding


def test_weights_with_two_names(tmp_path):
    data = irregular_graph(dtype=torch.float32)
    torch.manual_seed(0)
    results = []
    for epochs in (2, 4):
        model = Shared.from_data(data, embedding_dim=4)
        fit(
            model,
            inputs_of(data, 'edge_index', torch.float32),
            TripletSampler(data[INTERACTS].edge_index, 11, 9),
            Interrupt(),
            epochs=epochs,
            progress=False,
            checkpoint=tmp_path / 'run',
            resume=True,
        )
        assert model.alias.weight is model.user_embedding.weight
        results.append(model.state_dict())
    assert equal(results[1], _best(tmp_path / 'run'))


def _best(path):
    return {
        name.removeprefix('best/'): x
        for name, x in load_tensors(path).items()
        if name.startswith('best/')
    }


def test_resume_without_validation_keeps_the_last_weights(tmp_path: Path) -> None:
    path = tmp_path / 'run.safetensors'
    torch.manual_seed(0)
    data = SyntheticMultimodal('tiny')[0]
    data = ToAdjacency('csr')(DegreeNorm()(data))
    weights = []
    for epochs in (1, 3):
        model = LGMRec.from_data(data, embedding_dim=4)
        sampler = TripletSampler.from_data(data)
        validate = Evaluator.from_data(data, 'val') if epochs == 1 else None
        options = {'checkpoint': path, 'resume': True, 'progress': False}
        fit(model, model_inputs(data), sampler, validate, epochs=epochs, **options)
        weights.append(model.item_embedding.weight.detach())
    assert not torch.equal(*weights)


def test_resume_refuses_modalities_in_another_order(tmp_path: Path) -> None:
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
            with pytest.raises(ValueError, match='order of weights'):
                fit(*arguments, epochs=2, **options)
