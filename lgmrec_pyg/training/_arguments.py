r"""What :func:`fit` is given, as it takes it, or an error before training."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch_geometric.data import HeteroData

from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.ops.parallel import active
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training.epoch import Batches, Validate


def read_data(
    inputs: HeteroData | Sequence[Any],
    sampler: Batches | None,
    validate: Validate | str | None,
) -> tuple[Sequence[Any], Batches, Any]:
    r"""Makes of a graph what is not given."""
    data: Any = None
    if isinstance(inputs, HeteroData):
        data, inputs = inputs, getattr(sampler, 'inputs', None) or model_inputs(inputs)
        sampler = TripletSampler.from_data(data) if sampler is None else sampler
    if not isinstance(inputs, (tuple, list)) or sampler is None:
        raise TypeError(
            f"'inputs' needs to be a graph, or the arguments of the model's forward "
            f"together with a 'sampler' (got '{type(inputs).__name__}')"
        )
    if isinstance(validate, str):
        if validate != 'auto':
            raise ValueError(
                f"'validate' needs to be 'auto', a callable or None (got {validate!r})"
            )
        has_val = data is not None and 'val_edge_label_index' in data[INTERACTS]
        has_val = has_val and data[INTERACTS].val_edge_label_index.size(1) > 0
        validate = Evaluator.from_data(data, 'val') if has_val else None
    if isinstance(validate, Evaluator) and active('columns', 'rows') is not None:
        raise ValueError(
            "'validate' needs to be a 'ShardedEvaluator' where processes hold parts of "
            "the embeddings (got an 'Evaluator')"
        )
    return inputs, sampler, validate


def check_positive(**numbers: float | None) -> None:
    r"""Checks that numbers are positive, given by their names."""
    for name, value in numbers.items():
        if value is not None and not value > 0:
            raise ValueError(f"'{name}' needs to be positive (got {value})")


def check_schedule(
    optimizer: Optimizer, scheduler: LRScheduler | None, captured: bool
) -> None:
    r"""Checks that a schedule changes the learning rate of the steps."""
    if scheduler is None:
        return
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError(
            "'scheduler' needs to step by epochs (got 'ReduceLROnPlateau', which steps "
            'by a metric)'
        )
    if getattr(scheduler, 'optimizer', optimizer) is not optimizer:
        raise ValueError("'scheduler' needs to be one of 'optimizer' (got another's)")
    rates = [group['lr'] for group in optimizer.param_groups]
    if captured and not all(isinstance(lr, Tensor) for lr in rates):
        raise ValueError(
            f"'scheduler' of a captured step needs learning rates that are tensors "
            f'(got {rates})'
        )
