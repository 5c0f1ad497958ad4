from lgmrec_pyg.nn.models.lgmrec import LGMRec
from lgmrec_pyg.nn.models.output import LGMRecOutput, Losses
from lgmrec_pyg.nn.models.presets import PAPER, RECOMMENDED, Preset

__all__ = ['PAPER', 'RECOMMENDED', 'LGMRec', 'LGMRecOutput', 'Losses', 'Preset']
