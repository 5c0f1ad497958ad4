import os
import os.path as osp

from lgmrec_pyg.training import History


def plot_learning_curves(
    history: History,
    path: str,
    metrics: tuple[str, ...] = ('Recall@20', 'NDCG@20'),
) -> None:
    r"""Saves a figure of the loss terms and the validation metrics by epoch.

    Args:
        history (History): The course of the training run.
        path (str): The path of the figure. Its extension sets the format.
        metrics (Tuple[str, ...], optional): The validation metrics to show.
            (default: :obj:`("Recall@20", "NDCG@20")`)

    Raises:
        ImportError: If :obj:`matplotlib` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "'plot_learning_curves' requires 'matplotlib'. Install it via "
            "'pip install matplotlib'"
        ) from error

    # One panel each, since the terms differ by orders of magnitude.
    terms = list(history.losses[0]) if history.losses else []
    figure = Figure(figsize=(3.2 * (len(terms) + 1), 3), layout='constrained')
    *panels, last = figure.subplots(1, len(terms) + 1, squeeze=False)[0]
    epochs = range(1, history.epochs_run + 1)
    for name, panel in zip(terms, panels, strict=True):
        panel.plot(epochs, [losses[name] for losses in history.losses])
        panel.set(xlabel='epoch', title=f'training loss: {name}')

    last.set(xlabel='epoch', title='validation')
    for name in metrics:
        values = [values[name] for values in history.metrics if name in values]
        if values:
            last.plot(history.eval_epochs, values, label=name)
    if history.best_epoch > 0:
        label = f'best epoch {history.best_epoch}'
        last.axvline(history.best_epoch, color='gray', linestyle=':', label=label)
        last.legend()

    os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
    figure.savefig(path, dpi=150)
