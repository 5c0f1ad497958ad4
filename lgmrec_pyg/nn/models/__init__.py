from lgmrec_pyg.nn.models.lgmrec import LGMRec
from lgmrec_pyg.nn.models.output import LGMRecOutput, Losses
from lgmrec_pyg.nn.models.presets import RECOMMENDED

__all__ = ['RECOMMENDED', 'LGMRec', 'LGMRecOutput', 'Losses']
