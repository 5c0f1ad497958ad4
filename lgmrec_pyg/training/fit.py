from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Any

from torch import Tensor
from torch.optim import Adam, Optimizer

from lgmrec_pyg.training.checkpoint import Checkpoint, check_path
from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.epoch import (
    Metrics,
    evaluate_epoch,
    progress_bar,
    train_epoch,
)
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.identity import identify_run
from lgmrec_pyg.training.recommender import Recommender, TripletBatches
from lgmrec_pyg.training.step import CapturedStep, TrainingStep


def fit(
    model: Recommender,
    inputs: Sequence[Any],
    sampler: TripletBatches,
    validate: Callable[[Tensor, Tensor], Metrics] | None = None,
    *,
    epochs: int = 1000,
    patience: int = 20,
    eval_every: int = 1,
    lr: float = 1e-3,
    optimizer: Optimizer | None = None,
    monitor: str = 'Recall@20',
    capture: bool = False,
    progress: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: int = 1,
    resume: bool = False,
) -> History:
    r"""Trains a recommender in place, and leaves it with the weights of its
    best validation.

    Every evaluation embeds all users and items once; the last epoch is always
    evaluated.
    Training ends after :obj:`epochs`, after :obj:`patience` evaluations without
    improvement, or on a keyboard interrupt; in each case the best weights are
    restored.

    .. code-block:: python

        history = fit(model, inputs, sampler, evaluator)
        print(history.best_epoch, history.best_metrics)

    With :obj:`checkpoint='run.safetensors', resume=True`, the same call starts a
    run, and continues it whenever it was killed. On CPU, it ends with the very
    weights and metrics of a run that was not killed. Random numbers continue as
    well, whatever the seed is now: every seed needs a checkpoint of its own.

    Args:
        model (torch.nn.Module): The model, see :class:`Recommender`.
        inputs (Sequence[Any]): The arguments of the model's forward.
        sampler (TripletSampler): The training batches of an epoch.
        validate (Callable, optional): Maps user and item embeddings to metrics,
            *e.g.*, an :class:`~lgmrec_pyg.evaluation.Evaluator`. If :obj:`None`,
            will train for all :obj:`epochs` and keep the last weights, for a
            final model on all interactions. (default: :obj:`None`)
        epochs (int, optional): The maximum number of epochs.
            (default: :obj:`1000`)
        patience (int, optional): The number of evaluations without improvement
            after which to stop. (default: :obj:`20`)
        eval_every (int, optional): The number of epochs between evaluations.
            (default: :obj:`1`)
        lr (float, optional): The learning rate of Adam, ignored if
            :obj:`optimizer` is given. (default: :obj:`1e-3`)
        optimizer (torch.optim.Optimizer, optional): The optimizer.
            If :obj:`None`, will use a fused Adam. (default: :obj:`None`)
        monitor (str, optional): The metric to select the best weights by,
            higher is better. (default: :obj:`"Recall@20"`)
        capture (bool, optional): If set to :obj:`True`, captures the training
            step into a CUDA graph, see :class:`CapturedStep`.
            (default: :obj:`False`)
        progress (bool, optional): If set to :obj:`False`, will not show
            progress bars. (default: :obj:`True`)
        checkpoint (str or os.PathLike, optional): The path of a file to keep the
            state of the run in, see :class:`Checkpoint`. If it cannot be written,
            the run ends, at first before its first epoch. (default: :obj:`None`)
        checkpoint_every (int, optional): The number of epochs between
            checkpoints. (default: :obj:`1`)
        resume (bool, optional): If set to :obj:`True`, continues from
            :obj:`checkpoint` if that file exists; :obj:`epochs` and
            :obj:`patience` may have been raised, all else needs to be the same.
            (default: :obj:`False`)

    Raises:
        FileExistsError: If :obj:`checkpoint` exists, and is not to be resumed.
        FloatingPointError: If a loss term becomes NaN or infinite. The best
            weights so far are restored before.
        OSError: If :obj:`checkpoint` cannot be written.
        TypeError: If :obj:`inputs` are not the arguments of a forward.
        ValueError: If a number is not positive, if :obj:`validate` does not
            report :obj:`monitor`, or if :obj:`checkpoint` is damaged or of
            another run.
    """
    if not isinstance(inputs, (tuple, list)):
        raise TypeError(
            f"'inputs' needs to hold the arguments of the model's forward, as "
            f"'model_inputs(data)' returns them (got '{type(inputs).__name__}')"
        )
    if epochs <= 0:
        raise ValueError(f"'epochs' needs to be a positive integer (got {epochs})")
    if eval_every <= 0:
        raise ValueError(
            f"'eval_every' needs to be a positive integer (got {eval_every})"
        )
    check_path(checkpoint, checkpoint_every, resume)
    if optimizer is None:
        optimizer = _adam(model, lr)
    step = (CapturedStep if capture else TrainingStep)(model, inputs, optimizer)

    history, stopper, saver = History(), EarlyStopping(patience), None
    if checkpoint is not None:
        run = identify_run(model, inputs, sampler, optimizer, validate)
        run |= {'monitor': monitor, 'eval_every': eval_every}
        saver = Checkpoint(checkpoint, run, model, optimizer, sampler, stopper)
        history = saver.start(resume)
    bar = progress_bar(
        range(history.epochs_run + 1, 1 + (0 if stopper.should_stop else epochs)),
        disable=not progress,
        initial=history.epochs_run,
        total=epochs,
    )
    evaluate = None
    if validate is not None:
        evaluate = partial(evaluate_epoch, model, inputs, validate, monitor)
    try:
        for epoch in bar:
            train_epoch(step, sampler, history, progress)
            if evaluate is not None and epoch % eval_every == 0:
                evaluate(history, stopper)
            is_last = epoch == epochs or stopper.should_stop
            if saver is not None and (is_last or epoch % checkpoint_every == 0):
                saver.save(history)
            bar.set_postfix(_summary(history, stopper, monitor), refresh=False)
            if stopper.should_stop:
                break
        # Not in the checkpoint, for a run of more epochs has no such evaluation.
        if evaluate is not None and history.eval_epochs[-1:] != [history.epochs_run]:
            evaluate(history, stopper)
        history.stopped_by = 'patience' if stopper.should_stop else 'epochs'
    except KeyboardInterrupt:
        history.stopped_by = 'interrupt'
    finally:
        bar.close()
        if stopper.best_state is not None:
            model.load_state_dict(stopper.best_state)
        model.eval()

    return history


def _adam(model: Recommender, lr: float) -> Adam:
    params = list(model.parameters())
    devices = {param.device.type for param in params}
    on_cuda = devices == {'cuda'}
    return Adam(params, lr=lr, fused=devices <= {'cpu', 'cuda'}, capturable=on_cuda)


def _summary(history: History, stopper: EarlyStopping, monitor: str) -> dict[str, str]:
    out = {'loss': f'{history.losses[-1]["total"]:.4f}'}
    if history.metrics:
        out[monitor] = f'{history.metrics[-1][monitor]:.4f}'
        out['best'] = f'{stopper.best_value:.4f} at {history.best_epoch}'
    return out
