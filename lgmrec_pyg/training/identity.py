import json
from collections.abc import Iterator, Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.storage.digest import VALUES, attributes, digest

# How an optimizer computes, which may be on another device, and not what.
IMPLEMENTATION = ('fused', 'foreach', 'capturable', 'differentiable')
COURSE = ('last_epoch', '_step_count', '_last_lr', 'T_cur', 'T_i')
MOMENTUM = ('betas', 'momentum')


def identify_run(
    model: Any,
    inputs: Sequence[Any],
    sampler: Any,
    optimizer: Optimizer,
    scheduler: LRScheduler | None = None,
    validate: Any = None,
) -> dict[str, Any]:
    r"""Returns what the course of a training run depends on besides its state,
    as plain types: the modules of the model with their public attributes, the
    hyperparameters of the optimizer, the graph and its features, the training
    pairs in their order, and the evaluation.

    Of an evaluation other than :class:`~lgmrec_pyg.evaluation.Evaluator`, only
    the type counts.
    """
    out = {
        **(getattr(model, 'identity', None) or identify_model(model, inputs)),
        'optimizer': type(optimizer).__name__,
        'sampler': type(sampler).__name__,
        'batches': len(sampler),
        'training pairs': digest([getattr(sampler, x, None) for x in ('user', 'item')]),
        'validate': type(validate).__name__,
        'scheduler': type(scheduler).__name__,
    }
    for name in ('batch_size', 'num_users', 'num_items', 'num_neighbors'):
        out[f'sampler.{name}'] = _plain(getattr(sampler, name, None))
    out['sampler.generator'] = getattr(sampler, 'generator', None) is not None
    for i, group in enumerate(optimizer.param_groups):
        ignored = {*IMPLEMENTATION, 'params', 'lr' if 'initial_lr' in group else ''}
        ignored |= set(MOMENTUM if 'max_momentum' in group else ())  # It cycles.
        for name in group.keys() - ignored:
            out[f'optimizer[{i}].{name}'] = _plain(group[name])
    if scheduler is not None:
        out['schedule'] = digest(_without_course(scheduler.state_dict()))
    validate = getattr(validate, 'whole', validate)
    if isinstance(validate, Evaluator):
        state = dict(vars(validate))
        out['validate.ks'] = _plain(state.pop('ks'))
        ignored = {'chunk_size', '_metrics'}  # How it computes, not what.
        out['pairs to evaluate'] = digest(
            [state[x] for x in sorted(state) if x not in ignored]
        )
    # As text, for NaN is not equal to itself.
    return json.loads(json.dumps(out), parse_constant=str)


def identify_model(model: Any, inputs: Sequence[Any]) -> dict[str, Any]:
    r"""Returns the part of :func:`identify_run` on the model, the graph and its
    features.
    """
    out = dict(_model_entries(model))
    for i, value in enumerate(inputs):
        for key, entry in _entries(value).items():
            name = f'inputs[{i}]{key}'
            out[name] = digest(entry, values=False)
            out[f'{VALUES}{name}'] = digest(entry)
    return out


def _entries(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f'[{key!r}]': x for key, x in value.items()}
    if hasattr(value, '_asdict'):
        return {f'.{key}': x for key, x in value._asdict().items()}
    return {'': value}


def _model_entries(model: Any) -> Iterator[tuple[str, Any]]:
    for name, value in (getattr(model, 'settings', None) or {}).items():
        yield f'settings.{name}', _plain(value)
    for path, module in model.named_modules():
        prefix = f'model.{path}'.rstrip('.')
        yield prefix, type(module).__name__
        for name, value in attributes(module).items():
            if (path, name) != ('', 'settings'):
                yield f'{prefix}.{name}', _plain(value)
    weights = model.state_dict()
    for name, buffer in model.named_buffers():
        if name not in weights:
            yield f'model.{name}', digest(buffer)
    for name, weight in weights.items():
        yield f'weights.{name}', f'{weight.dtype} of shape {list(weight.shape)}'
    # Dictionaries compare equal in any order, but optimizers count by position.
    yield 'order of weights', digest(list(weights))


def _without_course(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_course(x) for k, x in value.items() if k not in COURSE}
    if isinstance(value, (list, tuple)):
        return [_without_course(x) for x in value]
    return value


def _plain(value: Any) -> Any:
    if getattr(value, 'ndim', None) == 0:
        value = value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    return value if isinstance(value, (int, float, str, type(None))) else digest(value)
