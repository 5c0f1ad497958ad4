from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam


class RowAdam(Adam):
    r"""Adam, as PyTorch has it, that takes sparse gradients as well: of an embedding
    table, a step reads and writes only the rows that have one, like
    :class:`torch.optim.SparseAdam`, which takes no other gradients.

    Args:
        params (Iterable): The parameters.
        lr (float, optional): The learning rate. (default: :obj:`1e-3`)
        **kwargs (optional): Additional arguments of :class:`torch.optim.Adam`.

    Raises:
        ValueError: In a step with a sparse gradient, if :obj:`weight_decay`,
            :obj:`amsgrad` or :obj:`maximize` is set, which need all rows or moments.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        sparse = []
        for group in self.param_groups:
            for param in group['params']:
                if param.grad is not None and param.grad.is_sparse:
                    self._update_rows(param, param.grad, group)
                    sparse.append((param, param.grad))
                    param.grad = None
        super().step()
        for param, grad in sparse:
            param.grad = grad
        return loss

    def _update_rows(self, param: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        unknown = [x for x in ('weight_decay', 'amsgrad', 'maximize') if group[x]]
        if unknown:
            raise ValueError(f'{unknown} need dense gradients (got a sparse one)')
        state = self.state[param]
        if not state:
            state['step'] = torch.zeros((), device=param.device)
            state['exp_avg'] = torch.zeros_like(param)
            state['exp_avg_sq'] = torch.zeros_like(param)
        state['step'] += 1
        grad = grad.coalesce()
        rows, values = grad.indices()[0], grad.values()
        beta1, beta2 = group['betas']
        average = state['exp_avg'][rows].lerp_(values, 1 - beta1)
        square = state['exp_avg_sq'][rows].mul_(beta2)
        square.addcmul_(values, values, value=1 - beta2)
        state['exp_avg'][rows] = average
        state['exp_avg_sq'][rows] = square
        step = float(state['step'])
        scale = (1 - beta2**step) ** 0.5
        change = average.div_(square.sqrt_().div_(scale).add_(group['eps']))
        param.index_add_(0, rows, change, alpha=-group['lr'] / (1 - beta1**step))


def default_optimizer(model: Module, lr: float) -> Adam:
    r"""Returns the optimizer of :meth:`~lgmrec_pyg.training.fit`: Adam, fused where
    that is possible.
    """
    params = list(model.parameters())
    devices = {param.device.type for param in params}
    on_cuda = devices == {'cuda'}
    return RowAdam(params, lr=lr, fused=devices <= {'cpu', 'cuda'}, capturable=on_cuda)
