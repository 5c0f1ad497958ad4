r"""What to train the models that stand beside LGMRec with: the settings of their public
code for Amazon Baby, or those that come closest.
"""

from typing import Any

import torch_geometric.transforms as T
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.nn.models.presets import Preset
from lgmrec_pyg.transforms import RandomProjection, SimilarItems


def _preset(
    transform: BaseTransform | None = None, lr: float = 1e-3, **model: Any
) -> Preset:
    return Preset(model, lr, T.Compose([]) if transform is None else transform)


#: The published settings of the models beside LGMRec, by name. Where nothing stands,
#: defaults are the published settings. The public code also lowers learning rates:
#: MGCN, SMORE, LATTICE, PGL by 4 % in 50 epochs, MIG-GT by 1 % in one.
PUBLISHED: dict[str, Preset] = {
    'LightGCN': _preset(),
    'VBPR': _preset(),
    'LATTICE': _preset(SimilarItems(k=10)),
    'BM3': _preset(),
    'FREEDOM': _preset(SimilarItems(k=10, weight='uniform')),
    'MGCN': _preset(SimilarItems(k=10)),
    'SMORE': _preset(
        SimilarItems(k={'image': 40, 'text': 15}, union=True), num_layers=4, dropout=0.1
    ),
    'MIGGT': _preset(
        RandomProjection(384), lr=1e-2, num_modality_layers={'image': 1, 'text': 2}
    ),
    'DGR': _preset(),
    'SRGFormer': _preset(embedding_dim=256),
    'GMGL': _preset(),
    'PGL': _preset(SimilarItems(k=10, weight='uniform')),
}
