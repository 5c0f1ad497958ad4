r"""Training runs of a fraction of a second, to interrupt and continue."""

import torch
from graphs import inputs_of, irregular_graph

from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit

COURSE = ('losses', 'metrics', 'eval_epochs', 'best_epoch', 'stopped_by', 'epochs_run')


def course(history):
    return {key: history[key] for key in COURSE}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def press_ctrl_c():
    raise KeyboardInterrupt


class Validate:
    r"""In one of the evaluations of a run, something may happen."""

    def __init__(self, at=None, event=press_ctrl_c):
        self.at, self.event, self.num_calls = at, event, 0

    def __call__(self, user_emb, item_emb):
        self.num_calls += 1
        if self.num_calls == self.at:
            self.event()
        return {'Recall@20': float((user_emb @ item_emb.t()).std())}


class Count(TripletSampler):
    num_epochs = 0

    def __iter__(self):
        self.num_epochs += 1
        return super().__iter__()


def run(
    validate=None,
    *,
    seed=0,
    optimizer=None,
    scheduler=None,
    data=None,
    inputs=None,
    dtype=torch.float32,
    batch_size=10,
    model_kwargs=(),
    **kwargs,
):
    r"""The weights and the course of a run, and how many epochs it went through."""
    torch.manual_seed(seed)
    data = irregular_graph(dtype=dtype) if data is None else data
    model = LGMRec.from_data(data, **{'embedding_dim': 4} | dict(model_kwargs))
    model.to(dtype)
    sampler = Count(data[INTERACTS].edge_index, 11, 9, batch_size=batch_size)
    if optimizer is not None:
        optimizer = optimizer(model.parameters())
    history = fit(
        model,
        inputs_of(data, 'edge_index', dtype) if inputs is None else inputs,
        sampler,
        Validate() if validate is None else validate,
        optimizer=optimizer,
        scheduler=None if scheduler is None else scheduler(optimizer),
        progress=False,
        **{'epochs': 6, 'lr': 0.1} | kwargs,
    )
    return model.state_dict(), course(history.to_dict()), sampler.num_epochs
