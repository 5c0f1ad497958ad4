from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

INPUTS = ('tensors', 'input', 'input_tensor', 'input_tensors')


class Traffic(TorchDispatchMode):
    r"""Counts the bytes that this process sends in the collectives within its block,
    as if all processes formed a ring.

    Args:
        num_processes (int): The number of processes :math:`P`. A process sends
            :math:`2 (P - 1) / P` of a sum over all, :math:`P - 1` times its part of
            what is gathered, and :math:`(P - 1) / P` of what is scattered.
    """

    def __init__(self, num_processes: int) -> None:
        super().__init__()
        others, share = num_processes - 1, (num_processes - 1) / num_processes
        self.shares = {
            'allreduce': 2 * share,
            'allgather': others,
            'reducescatter': share,
            'alltoall': share,
            'broadcast': 1,
        }
        self.sent = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func.namespace in ('c10d', '_c10d_functional'):
            name = func._schema.name.split('::')[1].replace('_', '')
            given = zip(func._schema.arguments, args, strict=False)
            values = [value for argument, value in given if argument.name in INPUTS]
            tensors = [x for x in tree_leaves(values) if isinstance(x, Tensor)]
            size = sum(x.numel() * x.element_size() for x in tensors)
            self.sent += sum(size * x for k, x in self.shares.items() if k in name)
        return func(*args, **(kwargs or {}))
