r"""Settings to train LGMRec with: those of the paper, and those recommended."""

from typing import Any, NamedTuple

import torch_geometric.transforms as T
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.transforms import SimilarItems, StandardizeFeatures


class Preset(NamedTuple):
    r"""What belongs together when a model is trained.

    .. code-block:: python

        data = RECOMMENDED.transform(data)
        model = LGMRec.from_data(data, **RECOMMENDED.model)
        fit(model, data, lr=RECOMMENDED.lr)

    Args:
        model (Dict[str, Any]): The arguments of :class:`~lgmrec_pyg.nn.LGMRec`.
        lr (float): The learning rate.
        transform (BaseTransform): What to do to the graph before.
    """

    model: dict[str, Any]
    lr: float
    transform: BaseTransform


def _paper(**changes: float) -> Preset:
    baby = {
        'num_collaborative_layers': 2,
        'num_modality_layers': 2,
        'num_hypergraph_layers': 1,
        'num_hyperedges': 4,
        'dropout': 0.5,
        'alpha': 0.3,
        'contrast_weight': 1e-4,
        'reg_weight': 1e-6,
    }
    return Preset(baby | changes, lr=1e-3, transform=T.Compose([]))


#: The settings of the paper by dataset: baby, sports and clothing.
PAPER: dict[str, Preset] = {
    'baby': _paper(),
    'sports': _paper(num_collaborative_layers=4, dropout=0.6, alpha=0.6),
    'clothing': _paper(
        num_hypergraph_layers=2, num_hyperedges=64, dropout=0.8, alpha=0.2
    ),
}

#: The settings to start with: a softmax over all items; local embeddings alone, side by
#: side, each modality with its own users; similar items; standardized features.
#: ``benchmarks/accuracy`` says what features are worth by that.
RECOMMENDED = Preset(
    model={
        'ranking_loss': 'softmax',
        'ranking_temperature': 0.2,
        'parts': ['collaborative', 'modality'],
        'fusion': 'concat',
        'similar_weight': 1.0,
    },
    lr=5e-3,
    transform=T.Compose([StandardizeFeatures(), SimilarItems(k=10)]),
)
