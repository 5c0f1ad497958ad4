import json
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.training.contents import contents, is_contents, same_contents
from lgmrec_pyg.training.optimizer_state import IMPLEMENTATION

PLAIN = (int, float, str, type(None))


def identify_run(
    model: Any,
    inputs: Sequence[Any],
    sampler: Any,
    optimizer: Optimizer,
    validate: Any = None,
) -> dict[str, Any]:
    r"""Returns what the course of a training run depends on besides its state,
    as plain types: the modules of the model with their public attributes, the
    hyperparameters of the optimizer, the graph and its features, the training
    pairs in their order, and the evaluation.

    Of an evaluation other than :class:`~lgmrec_pyg.evaluation.Evaluator`, only
    the type counts.

    Args:
        model (torch.nn.Module): The model.
        inputs (Sequence[Any]): The arguments of its forward.
        sampler (TripletSampler): The training batches of an epoch.
        optimizer (torch.optim.Optimizer): The optimizer.
        validate (Callable, optional): The evaluation. (default: :obj:`None`)
    """
    out = {
        **_sampler_entries(sampler),
        **_evaluation_entries(validate),
        'optimizer': type(optimizer).__name__,
    }
    for i, value in enumerate(inputs):
        if isinstance(value, dict):
            out |= {f'inputs[{i}][{key!r}]': contents(x) for key, x in value.items()}
        else:
            out[f'inputs[{i}]'] = contents(value)
    out |= _model_entries(model)
    for i, group in enumerate(optimizer.param_groups):
        out |= {
            f'optimizer[{i}].{name}': _plain(value)
            for name, value in group.items()
            if name not in IMPLEMENTATION
        }
    # As text, for NaN is not equal to itself.
    return json.loads(json.dumps(out, default=str), parse_constant=str)


def other_entries(expected: dict[str, Any], got: dict[str, Any]) -> list[str]:
    r"""Returns in words what differs between two runs.

    Args:
        expected (Dict[str, Any]): What identifies the first run.
        got (Dict[str, Any]): What identifies the second one.
    """
    out = []
    for name in {**expected, **got}:
        a: Any = expected.get(name)
        b: Any = got.get(name)
        if is_contents(a) and is_contents(b):
            if not same_contents(a, b):
                out.append(f'other {name}')
        elif is_contents(a) or is_contents(b):
            out.append(f'{"no" if b is None else "other"} {name}')
        elif a != b:
            out.append(f"'{name}' is {b!r:.80} instead of {a!r:.80}")
    return out


def _sampler_entries(sampler: Any) -> dict[str, Any]:
    out = {'sampler': type(sampler).__name__, 'batches': len(sampler)}
    for name in ('batch_size', 'num_users', 'num_items'):
        out[f'sampler.{name}'] = getattr(sampler, name, None)
    out['sampler.generator'] = getattr(sampler, 'generator', None) is not None
    pairs = [getattr(sampler, name, None) for name in ('user', 'item')]
    return out | {'training pairs': contents(pairs)}


def _evaluation_entries(validate: Any) -> dict[str, Any]:
    out: dict[str, Any] = {
        'validate': None if validate is None else type(validate).__name__
    }
    if isinstance(validate, Evaluator):
        state = dict(vars(validate))
        del state['chunk_size']  # How it computes, not what.
        out['validate.ks'] = [int(k) for k in state.pop('ks')]
        out['pairs to evaluate'] = contents(state)
    return out


def _model_entries(model: Any) -> dict[str, Any]:
    settings = getattr(model, 'settings', None) or {}
    out = {f'settings.{name}': value for name, value in settings.items()}
    for path, module in model.named_modules():
        prefix = f'model.{path}'.rstrip('.')
        out[prefix] = type(module).__name__
        for name, value in vars(module).items():
            if not name.startswith('_') and name != 'training':
                is_plain = isinstance(value, PLAIN)
                out[f'{prefix}.{name}'] = value if is_plain else contents(value)
    out.pop('model.settings', None)
    weights = model.state_dict()
    for name, buffer in model.named_buffers():
        if name not in weights:
            out[f'model.{name}'] = contents(buffer)
    for name, weight in weights.items():
        out[f'weights.{name}'] = f'{weight.dtype} of shape {list(weight.shape)}'
    # Dictionaries compare equal in any order, but optimizers count by position.
    return out | {'order of weights': contents(list(weights))}


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value
