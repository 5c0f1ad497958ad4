from typing import NamedTuple

import pytest
import torch
import torch_geometric.transforms as T
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch_geometric.data import HeteroData

from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import Callback, StopTraining, fit

NUM_USERS, NUM_ITEMS = 12, 10


class Losses(NamedTuple):
    total: Tensor
    bpr: Tensor
    reg: Tensor


class MatrixFactorization(torch.nn.Module):
    def __init__(self, dim: int = 4):
        super().__init__()
        self.user = torch.nn.Parameter(0.1 * torch.randn(NUM_USERS, dim))
        self.item = torch.nn.Parameter(0.1 * torch.randn(NUM_ITEMS, dim))
        self.num_embed_calls = 0
        self.modes = set()

    def forward(self, scale):
        return scale * self.user, scale * self.item

    def loss(self, out, user, pos, neg):
        self.modes.add(self.training)
        user, pos, neg = out[0][user], out[1][pos], out[1][neg]
        bpr = -logsigmoid((user * (pos - neg)).sum(dim=-1)).mean()
        reg = 1e-4 * pos.norm()
        return Losses(bpr + reg, bpr, reg)

    def embed(self, scale):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.num_embed_calls += 1
        return self(scale)


def checkerboard():
    r"""Users like the items of their own parity; one of them is withheld."""
    pairs = torch.cartesian_prod(torch.arange(NUM_USERS), torch.arange(NUM_ITEMS))
    pairs = pairs[pairs[:, 0] % 2 == pairs[:, 1] % 2]
    withheld = pairs[:, 1] // 2 == pairs[:, 0] // 2 % 5
    return pairs[~withheld].t(), pairs[withheld].t()


def run(validate=None, seed=0, wrap=lambda x: x, **kwargs):
    torch.manual_seed(seed)
    train, test = checkerboard()
    model = MatrixFactorization()
    sampler = TripletSampler(train, NUM_USERS, NUM_ITEMS, batch_size=10)
    if validate is None:
        validate = Evaluator(test, train, NUM_USERS, NUM_ITEMS, ks=[1])
        kwargs.setdefault('monitor', 'Recall@1')
    kwargs.setdefault('progress', False)
    kwargs.setdefault('lr', 0.05)
    return model, fit(wrap(model), (1.0,), sampler, validate, **kwargs)


class Script:
    r"""Reports given validation values, and keeps the weights seen."""

    def __init__(self, *values):
        self.values = list(values)
        self.seen = []

    def __call__(self, user_emb, item_emb):
        self.seen.append(user_emb.clone())
        value = self.values[len(self.seen) - 1]
        if isinstance(value, BaseException):
            raise value
        return {'Recall@20': value}


def test_learns_the_checkerboard():
    train, test = checkerboard()
    model, history = run(epochs=60, patience=60)
    assert history.best_metrics['Recall@1'] == 1.0
    evaluator = Evaluator(test, train, NUM_USERS, NUM_ITEMS, ks=[1])
    with torch.no_grad():
        assert evaluator(model.user, model.item)['Recall@1'] == 1.0
    losses = [loss['total'] for loss in history.losses]
    assert losses[-1] < 0.3 < losses[0]
    for loss in history.losses:
        assert loss['total'] == pytest.approx(loss['bpr'] + loss['reg'], abs=1e-6)


def test_restores_the_best_weights_and_stops():
    script = Script(0.1, 0.3, 0.2, 0.3, 0.1, 0.9)
    model, history = run(script, patience=3, epochs=10)
    assert history.stopped_by == 'patience'
    assert history.epochs_run == 5
    assert history.best_epoch == 2
    assert history.best_metrics == {'Recall@20': 0.3}
    assert torch.equal(model.user, script.seen[1])
    assert not torch.equal(model.user, script.seen[4])
    assert not model.training
    assert len(history.train_seconds) == len(history.eval_seconds) == 5


def test_one_propagation_per_evaluation():
    script = Script(0.1, 0.2, 0.3)
    model, history = run(script, epochs=5, eval_every=2)
    assert history.eval_epochs == [2, 4, 5]
    assert history.best_epoch == 5
    assert model.num_embed_calls == 3
    assert model.modes == {True}
    assert history.stopped_by == 'epochs'


def test_same_seed_is_bit_identical():
    (first, history), (second, other), (_, third) = (
        run(seed=3, epochs=5),
        run(seed=3, epochs=5),
        run(seed=4, epochs=5),
    )
    assert history.losses == other.losses != third.losses
    assert history.metrics == other.metrics
    assert torch.equal(first.user, second.user)


def test_interrupt_keeps_the_best_weights():
    script = Script(0.2, 0.1, KeyboardInterrupt())
    model, history = run(script, epochs=10)
    assert history.stopped_by == 'interrupt'
    assert (history.epochs_run, history.best_epoch) == (3, 1)
    assert torch.equal(model.user, script.seen[0])


def test_optimizer_is_used():
    torch.manual_seed(0)
    train, _ = checkerboard()
    model = MatrixFactorization()
    before = model.user.clone()
    fit(
        model,
        (1.0,),
        TripletSampler(train, NUM_USERS, NUM_ITEMS),
        Script(0.1),
        epochs=1,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.0),
        progress=False,
    )
    assert torch.equal(model.user, before)


class Diverging(MatrixFactorization):
    def loss(self, out, user, pos, neg):
        losses = super().loss(out, user, pos, neg)
        if self.num_embed_calls < 2 or user.numel() == 10:
            return losses
        return losses._replace(total=losses.total / 0, reg=losses.reg / 0)


def test_a_loss_that_is_not_finite_is_named():
    train, _ = checkerboard()
    model = Diverging()
    script = Script(0.5, 0.4)
    with pytest.raises(
        FloatingPointError, match=r"epoch 3, step 5 of 5 \('reg' = inf\)"
    ):
        fit(
            model,
            (1.0,),
            TripletSampler(train, NUM_USERS, NUM_ITEMS, batch_size=10),
            script,
            progress=False,
        )
    assert torch.equal(model.user, script.seen[0])
    assert not model.training


def test_progress_bar(capfd):
    run(epochs=3)
    assert capfd.readouterr().err == ''
    run(epochs=3, progress=True)
    err = capfd.readouterr().err
    assert '3/3' in err
    assert 'best=' in err


@pytest.mark.parametrize(
    'argument', ['epochs', 'eval_every', 'patience', 'max_grad_norm']
)
def test_arguments_need_to_be_positive(argument):
    with pytest.raises(ValueError, match=rf"'{argument}' .* \(got 0\)"):
        run(**{argument: 0})


def test_only_auto_validates_on_the_graph():
    with pytest.raises(ValueError, match=r"'validate' .* or None \(got 'test'\)"):
        run('test')


def test_unknown_monitor():
    with pytest.raises(ValueError, match=r"'Recall@1'.*got 'AUC'"):
        run(monitor='AUC', epochs=1)


def test_without_validation_keeps_the_last_weights():
    train, _ = checkerboard()
    model = MatrixFactorization()
    sampler = TripletSampler(train, NUM_USERS, NUM_ITEMS, batch_size=10)
    start = model.user.detach().clone()
    history = fit(model, (1.0,), sampler, epochs=3, progress=False)
    assert (history.epochs_run, history.best_epoch, history.metrics) == (3, 0, [])
    assert model.num_embed_calls == 0
    assert not model.training
    assert not torch.equal(model.user, start)


def graph(val=True):
    train, val_pairs = checkerboard()
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = NUM_USERS, NUM_ITEMS
    data[INTERACTS].edge_index = train.contiguous()
    if val:
        data[INTERACTS].val_edge_label_index = val_pairs
    return T.ToUndirected()(data)


def test_a_graph_is_all_it_takes():
    data = graph()
    torch.manual_seed(0)
    model = LGMRec.from_data(data, embedding_dim=4)
    history = fit(model, data, epochs=2, lr=0.05, progress=False)
    torch.manual_seed(0)
    other = LGMRec.from_data(data, embedding_dim=4)
    parts = TripletSampler.from_data(data), Evaluator.from_data(data, 'val')
    expected = fit(other, model_inputs(data), *parts, epochs=2, lr=0.05, progress=False)
    assert history.metrics == expected.metrics
    assert history.losses == expected.losses
    assert fit(model, data, validate=None, epochs=1, progress=False).metrics == []
    sampler = TripletSampler.from_data(data, batch_size=7)
    fit(model, data, sampler, Script(0.1), epochs=1, progress=False)


@pytest.mark.parametrize('pairs', [None, torch.empty(2, 0, dtype=torch.long)])
def test_a_graph_without_validation_pairs(pairs):
    data = graph(val=False)
    if pairs is not None:
        data[INTERACTS].val_edge_label_index = pairs
    model = LGMRec.from_data(data, embedding_dim=4)
    assert fit(model, data, epochs=2, progress=False).metrics == []


@pytest.mark.parametrize('inputs', [(1.0,), {}, graph()])
def test_names_what_is_missing(inputs):
    sampler = None if isinstance(inputs, tuple) else []
    if isinstance(inputs, HeteroData):
        inputs = [inputs].__iter__()
    with pytest.raises(TypeError, match=r"'inputs' needs to be a graph, or the arg"):
        fit(MatrixFactorization(), inputs, sampler, progress=False)


def test_lower_values_may_be_better():
    script = Script(0.4, 0.2, 0.3)
    model, history = run(script, epochs=3, mode='min')
    assert history.best_epoch == 2
    assert torch.equal(model.user, script.seen[1])


def test_metrics_that_are_always_nan_keep_the_last_weights():
    script = Script(*3 * [float('nan')])
    message = "'Recall@20' was NaN or -inf in all 3 evaluations"
    with pytest.warns(UserWarning, match=message):
        model, history = run(script, epochs=3)
    assert history.best_epoch == 0
    assert torch.equal(model.user, script.seen[-1])


def test_a_misspelt_metric_is_refused_before_the_first_epoch():
    script = Script(0.1)
    script.metric_names = ['Recall@20']
    with pytest.raises(ValueError, match=r"'monitor' .*'Recall@20'.*got 'recall'"):
        run(script, monitor='recall')
    assert script.seen == []


class Record(Callback):
    def __init__(self, stop_at=None, error=StopTraining):
        self.stop_at, self.error, self.epochs, self.ends = stop_at, error, [], []

    def on_epoch_end(self, history):
        self.epochs.append((history.epochs_run, len(history.metrics)))
        if history.epochs_run == self.stop_at:
            raise self.error

    def on_fit_end(self, history):
        self.ends.append((history.epochs_run, history.stopped_by))

    def on_fit_error(self, history, error):
        self.ends.append((history.epochs_run, type(error)))


def test_callbacks():
    record = Record()
    run(Script(0.1, 0.2), epochs=4, eval_every=2, callbacks=[record, Callback()])
    assert record.epochs == [(1, 0), (2, 1), (3, 1), (4, 2)]
    assert record.ends == [(4, 'epochs')]


def test_callbacks_may_stop_a_run():
    record, script = Record(stop_at=3), Script(0.2, 0.1)
    model, history = run(script, epochs=10, eval_every=2, callbacks=[record])
    assert record.ends == [(3, 'callback')]
    assert history.eval_epochs == [2, 3]
    assert torch.equal(model.user, script.seen[0])


def test_all_callbacks_see_the_last_epoch_and_the_end():
    records = Record(stop_at=2), Record()
    run(Script(0.2, 0.1), callbacks=records)
    assert [x.epochs for x in records] == 2 * [[(1, 1), (2, 2)]]

    class Broken(Callback):
        def on_fit_end(self, history):
            raise RuntimeError

    record = Record()
    with pytest.raises(RuntimeError):
        run(Script(0.2), epochs=1, callbacks=[Broken(), record, Broken()])
    assert record.ends == [(1, 'epochs')]


def test_what_ended_a_run_is_not_changed_by_its_last_evaluation():
    script, options = Script(0.3, 0.2), {'eval_every': 3, 'patience': 1}
    _, history = run(script, callbacks=[Record(stop_at=4)], **options)
    assert (history.eval_epochs, history.stopped_by) == ([3, 4], 'callback')
    _, history = run(Script(0.3, 0.2), epochs=4, **options)
    assert history.stopped_by == 'epochs'


def test_errors_are_told_to_callbacks():
    record = Record()
    with pytest.raises(RuntimeError, match='disk'):
        run(Script(0.2, RuntimeError('disk')), callbacks=[record])
    assert record.ends == [(2, RuntimeError)]
    record = Record()
    run(Script(0.2, KeyboardInterrupt()), callbacks=[record])
    assert record.ends == [(2, 'interrupt')]


def test_batches_may_be_lists():
    class Lists(TripletSampler):
        def __iter__(self):
            return map(list, super().__iter__())

    torch.manual_seed(0)
    model = MatrixFactorization()
    sampler = Lists(checkerboard()[0], NUM_USERS, NUM_ITEMS, batch_size=10)
    history = fit(model, (1.0,), sampler, None, epochs=2, lr=0.05, progress=False)
    assert history.losses == run(epochs=2)[1].losses


def test_errors_of_callbacks_leave_the_best_weights():
    script, model = Script(0.2, 0.1), MatrixFactorization()
    sampler = TripletSampler(checkerboard()[0], NUM_USERS, NUM_ITEMS)
    callbacks = [Record(2, RuntimeError)]
    with pytest.raises(RuntimeError):
        fit(model, (1.0,), sampler, script, callbacks=callbacks, progress=False)
    assert torch.equal(model.user, script.seen[0])


def test_the_learning_rate_follows_its_schedule():
    model, rates = MatrixFactorization(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.1)

    class Rate(Callback):
        def on_epoch_end(self, history):
            rates.append(optimizer.param_groups[0]['lr'])

    fit(
        model,
        (1.0,),
        TripletSampler(checkerboard()[0], NUM_USERS, NUM_ITEMS),
        epochs=4,
        optimizer=optimizer,
        scheduler=scheduler,
        callbacks=[Rate()],
        progress=False,
    )
    assert rates == pytest.approx([1.0, 0.1, 0.1, 0.01])


def test_schedules_that_would_not_work_are_refused():
    model = MatrixFactorization()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    options = {'optimizer': optimizer, 'epochs': 1}
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(ValueError, match=r"step by epochs \(got 'ReduceLROnPlateau'"):
        run(scheduler=scheduler, **options)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    with pytest.raises(ValueError, match=r'are tensors \(got \[1.0\]\)'):
        run(scheduler=scheduler, capture=True, **options)


def test_a_schedule_of_another_optimizer_is_refused():
    model = MatrixFactorization()
    other = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(other, 0.5)
    sampler = TripletSampler(checkerboard()[0], NUM_USERS, NUM_ITEMS)
    for optimizer in (None, torch.optim.Adam(model.parameters())):
        with pytest.raises(ValueError, match="'scheduler' needs to be one of"):
            fit(model, (1.0,), sampler, optimizer=optimizer, scheduler=scheduler)


def test_a_compiled_model_trains_like_any_other(monkeypatch):
    compiled = []

    def without_code(function):
        compiled.append(function)
        return compile_(function, backend='eager')

    compile_ = torch.compile
    monkeypatch.setattr(torch, 'compile', without_code)
    expected, history = run(epochs=2)
    assert compiled == []
    for kwargs in ({'compile': True}, {'wrap': without_code}):
        model, other = run(epochs=2, **kwargs)
        assert torch.equal(model.user, expected.user)
        assert other.losses == history.losses
        assert not model.training
    assert len(compiled) == 3


def test_a_run_out_of_patience_is_kept_whenever_checkpoints_are_due(tmp_path):
    options = {'patience': 2, 'epochs': 20}
    options |= {'checkpoint': tmp_path / 'run', 'checkpoint_every': 10}
    _, history = run(Script(0.3, 0.2, 0.1, 0.9), **options)
    assert (history.epochs_run, history.stopped_by) == (3, 'patience')
    _, other = run(Script(), resume=True, **options)
    assert (other.epochs_run, other.stopped_by) == (3, 'patience')


@pytest.mark.filterwarnings('error::UserWarning')
def test_a_good_run_warns_of_nothing():
    run(Script(0.1, 0.2), epochs=2)


def test_a_metric_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'monitor' .*'AUC'.*got 'Recall@20'"):
        run(lambda user, item: {'AUC': 0.5}, epochs=1)
