from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch_geometric.data import HeteroData

from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit

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


def run(validate=None, seed=0, **kwargs):
    torch.manual_seed(seed)
    train, test = checkerboard()
    model = MatrixFactorization()
    sampler = TripletSampler(train, NUM_USERS, NUM_ITEMS, batch_size=10)
    if validate is None:
        validate = Evaluator(test, train, NUM_USERS, NUM_ITEMS, ks=[1])
        kwargs.setdefault('monitor', 'Recall@1')
    kwargs.setdefault('progress', False)
    kwargs.setdefault('lr', 0.05)
    return model, fit(model, (1.0,), sampler, validate, **kwargs)


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


@pytest.mark.parametrize('argument', ['epochs', 'eval_every', 'patience'])
def test_arguments_need_to_be_positive(argument):
    with pytest.raises(ValueError, match=rf"'{argument}' .* \(got 0\)"):
        run(**{argument: 0})


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


def test_names_the_arguments_of_forward():
    with pytest.raises(TypeError, match=r"'model_inputs\(data\)' returns them"):
        fit(MatrixFactorization(), HeteroData(), [], progress=False)
