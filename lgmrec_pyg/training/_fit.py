import warnings
from collections.abc import Sequence
from functools import partial
from os import PathLike, fspath
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch_geometric.data import HeteroData

from lgmrec_pyg.ops.parallel import active
from lgmrec_pyg.training._arguments import check_positive, check_schedule, read_data
from lgmrec_pyg.training.checkpoint import Checkpoint
from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.epoch import (
    Batches,
    Validate,
    check_monitor,
    evaluate_epoch,
    progress_bar,
    train_epoch,
)
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.identity import identify_run
from lgmrec_pyg.training.optimizer import default_optimizer
from lgmrec_pyg.training.step import TrainingStep
from lgmrec_pyg.training.trainable import Callback, Callbacks, Trainable


def fit(
    model: Trainable,
    inputs: HeteroData | Sequence[Any],
    sampler: Batches | None = None,
    validate: Validate | str | None = 'auto',
    *,
    epochs: int = 1000,
    patience: int = 20,
    eval_every: int = 1,
    lr: float = 1e-3,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    max_grad_norm: float | None = None,
    monitor: str = 'Recall@20',
    mode: str = 'max',
    compile: bool = False,  # noqa: A002
    capture: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: int = 1,
    resume: bool = False,
) -> History:
    r"""Trains a model in place, and leaves it with the weights of its best
    validation.

    Every evaluation embeds all users and items once; the last epoch is always
    evaluated.
    Training ends after :obj:`epochs`, after :obj:`patience` evaluations without
    improvement, or on a keyboard interrupt, which leaves :meth:`fit` as an error where
    several processes share the training; in each case the best weights are restored.

    .. code-block:: python

        history = fit(model, data)
        print(history.best_epoch, history.best_metrics)

    With :obj:`checkpoint='run.safetensors', resume=True`, the same call starts a
    run, and continues it whenever it was killed. On CPU, it ends with the very
    weights and metrics of a run that was not killed. Random numbers continue as
    well, whatever the seed is now: every seed needs a checkpoint of its own.

    Args:
        model (torch.nn.Module): The model, see :class:`Trainable`.
        inputs (HeteroData or Sequence[Any]): The multimodal interaction graph, or
            the arguments of the model's forward.
        sampler (TripletSampler or SubgraphSampler, optional): The training batches of
            an epoch: triplets, or parts of the graph around them, of a loader of PyG
            as well. If :obj:`None`, will use those of
            :meth:`~lgmrec_pyg.sampling.TripletSampler.from_data`.
            (default: :obj:`None`)
        validate (Callable, optional): Maps user and item embeddings to metrics,
            *e.g.*, an :class:`~lgmrec_pyg.evaluation.Evaluator`. If :obj:`"auto"`,
            will evaluate the validation pairs of the graph, if there are any; processes
            that hold parts of embeddings need a
            :class:`~lgmrec_pyg.distributed.ShardedEvaluator`. If
            :obj:`None`, will train for all :obj:`epochs` and keep the last weights,
            for a final model on all interactions. (default: :obj:`"auto"`)
        epochs (int, optional): The maximum number of epochs.
            (default: :obj:`1000`)
        patience (int, optional): The number of evaluations without improvement
            after which to stop. (default: :obj:`20`)
        eval_every (int, optional): The number of epochs between evaluations.
            (default: :obj:`1`)
        lr (float, optional): The learning rate of Adam, ignored if
            :obj:`optimizer` is given. (default: :obj:`1e-3`)
        optimizer (torch.optim.Optimizer, optional): The optimizer. If :obj:`None`, a
            fused :class:`~lgmrec_pyg.training.RowAdam`. (default: :obj:`None`)
        scheduler (torch.optim.lr_scheduler.LRScheduler, optional): The schedule of
            the learning rate of a given :obj:`optimizer`, which steps once an epoch,
            without a metric. (default: :obj:`None`)
        max_grad_norm (float, optional): The norm to clip gradients to.
            (default: :obj:`None`)
        monitor (str, optional): The metric to select the best weights by.
            (default: :obj:`"Recall@20"`)
        mode (str, optional): Whether higher (:obj:`"max"`) or lower values
            (:obj:`"min"`) of it are better. (default: :obj:`"max"`)
        compile (bool, optional): If set to :obj:`True`, compiles forward and loss by
            :meth:`torch.compile`. (default: :obj:`False`)
        capture (bool, optional): If set to :obj:`True`, captures the training step
            into a CUDA graph, see
            :class:`~lgmrec_pyg.training.experimental.CapturedStep`.
            (default: :obj:`False`)
        callbacks (Sequence[Callback], optional): What to call at the start, after
            every epoch, and at the end, see :class:`Callback`. (default: :obj:`()`)
        progress (bool, optional): If set to :obj:`False`, will not show
            progress bars. (default: :obj:`True`)
        checkpoint (str or os.PathLike, optional): The path of a file to keep the
            state of the run in. If it cannot be written,
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
        TypeError: If there is no :obj:`sampler`, nor a graph to make one from.
        ValueError: If a number is not positive, if :obj:`scheduler` is of another
            optimizer or needs a metric, if :obj:`validate` does not report
            :obj:`monitor`, or if :obj:`checkpoint` is damaged or of another run.
    """
    check_positive(epochs=epochs, eval_every=eval_every, max_grad_norm=max_grad_norm)
    check_positive(checkpoint_every=checkpoint_every)
    inputs, sampler, evaluator = read_data(inputs, sampler, validate)
    if hasattr(sampler, 'check_hops'):
        sampler.check_hops(model)
    if resume and checkpoint is None:
        raise ValueError("'resume' needs 'checkpoint', the path of a file (got None)")
    check_monitor(monitor, getattr(evaluator, 'metric_names', [monitor]))
    compile = compile or hasattr(model, '_orig_mod')  # noqa: A001
    module: Any = getattr(model, '_orig_mod', model)
    optimizer = default_optimizer(module, lr) if optimizer is None else optimizer
    check_schedule(optimizer, scheduler, capture)
    stopper, history, saver = EarlyStopping(patience, mode), History(), None
    step = TrainingStep(module, inputs, optimizer, max_grad_norm, compile)
    if capture:
        from lgmrec_pyg.training.experimental import CapturedStep

        step = CapturedStep(module, inputs, optimizer, max_grad_norm=max_grad_norm)
    if checkpoint is not None:
        run = {'monitor': monitor, 'mode': mode, 'eval_every': eval_every}
        run |= {'max_grad_norm': max_grad_norm}
        run |= identify_run(module, inputs, sampler, optimizer, scheduler, evaluator)
        parts = module, optimizer, scheduler, sampler, stopper
        saver = Checkpoint(fspath(checkpoint), run, *parts)
        history = saver.start(resume)
    calls = Callbacks(callbacks)
    calls.on_fit_start(history)
    evaluate = None
    if evaluator is not None:
        evaluate = partial(evaluate_epoch, module, inputs, evaluator, monitor)
    bar = progress_bar(
        range(history.epochs_run + 1, 1 + (0 if stopper.should_stop else epochs)),
        disable=not progress,
        initial=history.epochs_run,
        total=epochs,
    )
    history.stopped_by = 'patience' if stopper.should_stop else 'epochs'
    try:
        for epoch in bar:
            train_epoch(step, sampler, history, progress)
            if scheduler is not None:
                scheduler.step()
            if evaluate is not None and epoch % eval_every == 0:
                evaluate(history, stopper)
            is_last = epoch == epochs or stopper.should_stop
            if saver is not None and (is_last or epoch % checkpoint_every == 0):
                saver.save(history)
            bar.set_postfix(_summary(history, stopper, monitor), refresh=False)
            if calls.stop_after_epoch(history):
                history.stopped_by = 'callback'
                break
            if stopper.should_stop:
                history.stopped_by = 'patience'
                break
        # Not in the checkpoint, for a run of more epochs has no such evaluation.
        if evaluate is not None and history.eval_epochs[-1:] != [history.epochs_run]:
            evaluate(history, stopper)
    except BaseException as error:
        # Other processes would wait for one that leaves an epoch by itself.
        if not isinstance(error, KeyboardInterrupt) or active() is not None:
            calls.on_fit_error(history, error)
            raise
        history.stopped_by = 'interrupt'
    finally:
        bar.close()
        if stopper.best_state is not None:
            module.load_state_dict(stopper.best_state)
        module.eval()
    if history.metrics and history.best_epoch == 0:
        warnings.warn(
            f"'{monitor}' was NaN or {stopper.best_value} in all "
            f'{len(history.metrics)} evaluations: the model keeps its last weights',
            stacklevel=2,
        )
    calls.on_fit_end(history)
    return history


def _summary(history: History, stopper: EarlyStopping, monitor: str) -> dict[str, str]:
    out = {'loss': f'{history.losses[-1]["total"]:.4f}'}
    if history.metrics:
        out[monitor] = f'{history.metrics[-1][monitor]:.4f}'
        out['best'] = f'{stopper.best_value:.4f} at {history.best_epoch}'
    return out
