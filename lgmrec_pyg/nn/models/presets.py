r"""Settings other than those of the paper."""

from typing import Any

# What it is worth, and what else was tried: `benchmarks/accuracy/README.md`.
# Train it with a learning rate of 5e-3, on the features of `StandardizeFeatures`.
RECOMMENDED: dict[str, Any] = {
    'ranking_loss': 'softmax',
    'ranking_temperature': 0.2,
    'shared_ids': True,
}
