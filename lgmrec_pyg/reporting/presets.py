from lgmrec_pyg import nn
from lgmrec_pyg.nn import PAPER, PUBLISHED, RECOMMENDED, Preset

KINDS = ('recommended', 'paper')


def find_preset(model: str, kind: str = 'recommended', dataset: str = '') -> Preset:
    r"""Returns the settings to train a model with.

    Args:
        model (str): The name of a model of :obj:`lgmrec_pyg.nn`.
        kind (str, optional): :obj:`"recommended"`, which ranks by a softmax over all
            items where the model can, or :obj:`"paper"`, the settings it was
            published with. (default: :obj:`"recommended"`)
        dataset (str, optional): The dataset, of which the paper of
            :class:`~lgmrec_pyg.nn.LGMRec` has settings for :obj:`"baby"`,
            :obj:`"sports"` and :obj:`"clothing"`; all else gets those of
            :obj:`"baby"`. (default: :obj:`""`)

    Raises:
        ValueError: If the model or the kind is unknown.
    """
    known = ['LGMRec', *PUBLISHED]
    if model not in known:
        raise ValueError(f"'model' needs to be one of {known} (got {model!r})")
    if kind not in KINDS:
        raise ValueError(f"'preset' needs to be one of {KINDS} (got {kind!r})")
    if model == 'LGMRec':
        paper = PAPER.get(dataset, PAPER['baby'])
        return RECOMMENDED if kind == 'recommended' else paper
    preset = PUBLISHED[model]
    if kind == 'paper' or 'softmax' not in getattr(nn, model).ranking_losses:
        return preset
    names = ('ranking_loss', 'ranking_temperature')
    softmax = {name: RECOMMENDED.model[name] for name in names}
    return preset._replace(
        model=preset.model | softmax, lr=max(preset.lr, RECOMMENDED.lr)
    )
