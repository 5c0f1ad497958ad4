import os
import resource
import signal

import pytest
import torch
from graphs import inputs_of, irregular_graph
from small_runs import Validate, equal, run
from torch.optim import lr_scheduler

from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.storage import load_tensors
from lgmrec_pyg.training import fit


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
    'nadam': lambda x: torch.optim.NAdam(x, 0.1),
    'rprop': lambda x: torch.optim.Rprop(x, 0.01),
    'groups': lambda x: torch.optim.Adagrad(
        [{'params': [p], 'lr': 0.1 / (i + 1)} for i, p in enumerate(x)]
    ),
}


@pytest.mark.parametrize('name', list(OPTIMIZERS))
@pytest.mark.parametrize(('every', 'dtype'), [(1, torch.float64), (3, torch.float32)])
def test_an_interrupted_run_continues(tmp_path, name, every, dtype):
    kwargs = {'optimizer': OPTIMIZERS[name], 'dtype': dtype}
    weights, history, _ = run(**kwargs)
    kwargs |= {'checkpoint': tmp_path / 'run', 'resume': True}
    kwargs['checkpoint_every'] = every
    _, partial, _ = run(Validate(at=5), **kwargs)
    assert partial['stopped_by'] == 'interrupt'
    assert len(partial['losses']) == 5
    others, other, num_epochs = run(seed=1, **kwargs)
    assert num_epochs == 6 - {1: 4, 3: 3}[every]
    assert other == history
    assert equal(weights, others)


SCHEDULES = {
    'cosine': lambda x: lr_scheduler.CosineAnnealingLR(x, 6),
    'steps': lambda x: lr_scheduler.MultiStepLR(x, [2, 4], gamma=0.5),
    'chain': lambda x: lr_scheduler.SequentialLR(
        x,
        [
            lr_scheduler.LinearLR(x, 0.1, total_iters=3),
            lr_scheduler.ExponentialLR(x, 0.5),
        ],
        [3],
    ),
}


@pytest.mark.parametrize('name', list(SCHEDULES))
def test_an_interrupted_schedule_continues(tmp_path, name):
    kwargs = {'optimizer': OPTIMIZERS['adam'], 'scheduler': SCHEDULES[name]}
    weights, history, _ = run(**kwargs)
    kwargs |= {'checkpoint': tmp_path / 'run', 'resume': True}
    run(Validate(at=5), **kwargs)
    others, other, num_epochs = run(seed=1, **kwargs)
    assert num_epochs == 2
    assert other == history
    assert equal(weights, others)
    for other in SCHEDULES.keys() - {name}:
        with pytest.raises(ValueError, match=r'got .*(scheduler is|other schedule)'):
            run(**kwargs | {'scheduler': SCHEDULES[other]})


CYCLES = {
    'restarts': lambda x: lr_scheduler.CosineAnnealingWarmRestarts(x, 3),
    'one cycle': lambda x: lr_scheduler.OneCycleLR(x, 0.1, total_steps=8),
    'together': lambda x: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(x, 0.5, 2), lr_scheduler.ExponentialLR(x, 0.9)]
    ),
}


@pytest.mark.parametrize('name', [*SCHEDULES, *CYCLES])
def test_the_same_objects_continue_a_run(tmp_path, name):
    def build():
        torch.manual_seed(0)
        data = irregular_graph(dtype=torch.float32)
        model = LGMRec.from_data(data, embedding_dim=4)
        optimizer = torch.optim.Adam(model.parameters(), 0.1)
        scheduler = (SCHEDULES | CYCLES)[name](optimizer)
        sampler = TripletSampler(data[INTERACTS].edge_index, 11, 9, batch_size=10)
        given = {'optimizer': optimizer, 'scheduler': scheduler}
        return (
            model,
            (model, inputs_of(data, 'edge_index', torch.float32), sampler),
            given,
        )

    def train(arguments, validate, given, **kwargs):
        fit(*arguments, validate, epochs=6, progress=False, **given, **kwargs)

    whole, arguments, given = build()
    train(arguments, Validate(), given)
    model, arguments, given = build()
    given |= {'checkpoint': tmp_path / 'run', 'resume': True}
    train(arguments, Validate(at=4), given)
    train(arguments, Validate(), given)
    assert equal(model.state_dict(), whole.state_dict())


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


class Noisy(Validate):
    r"""Draws random numbers, as memberships that stay random do."""

    def __call__(self, user_emb, item_emb):
        return super().__call__(user_emb + torch.rand(4), item_emb)


@pytest.mark.parametrize('validate', [Validate, Noisy])
@pytest.mark.parametrize('epochs', [(5, 8), (3, 5, 7), (5, 6), (1, 2, 3, 4, 8)])
def test_a_run_that_ended_off_schedule_may_go_on(tmp_path, validate, epochs):
    kwargs = {'checkpoint': tmp_path / 'run', 'resume': True, 'eval_every': 4}
    weights, history, _ = run(validate(), epochs=epochs[-1], eval_every=4)
    for seed, number in enumerate(epochs):
        others, other, _ = run(validate(), epochs=number, seed=seed, **kwargs)
        assert other['eval_epochs'] == [*range(4, number, 4), number]
    assert other == history
    assert equal(weights, others)


def test_a_run_that_ended_off_schedule_returns_its_best_weights(tmp_path):
    kwargs = {'checkpoint': tmp_path / 'run', 'eval_every': 4, 'epochs': 5}
    weights, history, _ = run(**kwargs)
    others, other, num_epochs = run(seed=1, resume=True, **kwargs)
    assert num_epochs == 0
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


def test_a_folder_that_is_not_writable_is_found_before_the_first_epoch(tmp_path):
    (tmp_path / 'file').write_text('')
    validate = Validate()
    with pytest.raises(OSError, match='leads through no file'):
        run(validate, checkpoint=tmp_path / 'file' / 'run')
    assert validate.num_calls == 0


def fill_the_disk():
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit))


def test_a_disk_that_fills_up(tmp_path):
    path = tmp_path / 'run'
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match='raise the limit on the size of files'):
            run(Validate(3, fill_the_disk), checkpoint=path)
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
            Validate(),
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
