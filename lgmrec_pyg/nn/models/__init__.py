from lgmrec_pyg.nn.models.lgmrec import LGMRec, LGMRecOutput, Losses

__all__ = ['LGMRec', 'LGMRecOutput', 'Losses']
