r"""Operators of PyTorch in the name space ``lgmrec_pyg``.

A plain :class:`torch.library.Library`, since a call through
:func:`torch.library.custom_op` takes three times as long (14 µs instead of 4 µs with
tiny inputs, 40 µs instead of 34 µs with a gradient), and the first one imports the
compiler (1.7 s).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lgmrec_pyg.ops._extension import extension

LIBRARY = torch.library.Library('lgmrec_pyg', 'DEF')


def register(
    schema: str,
    kernel: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    setup_context: Callable[..., None] | None = None,
    devices: str = 'CPU',
    half: bool = False,
) -> None:
    r"""Makes a function an operator.

    Args:
        schema (str): Its name and signature.
        kernel (callable): What it computes.
        fake (callable): The shapes of what it returns.
        backward (callable, optional): Its gradient. (default: :obj:`None`)
        setup_context (callable, optional): What to keep for the gradient.
            (default: :obj:`None`)
        devices (str, optional): The dispatch key of the kernel.
            (default: :obj:`"CPU"`)
        half (bool, optional): If set to :obj:`False`, inputs in half precision are
            cast to single precision under autocast. (default: :obj:`False`)
    """
    name = 'lgmrec_pyg::' + schema.split('(')[0]
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, kernel, devices)
    torch.library.register_fake(name, fake, lib=LIBRARY)
    if backward is not None:
        torch.library.register_autograd(
            name, backward, setup_context=setup_context, lib=LIBRARY
        )
    operator = getattr(torch.ops.lgmrec_pyg, schema.split('(')[0]).default

    def under_autocast(device: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            # What the kernel calls shall not be cast once more.
            with torch.autocast(device, enabled=False):
                return operator(*(args if half else map(_at_least_single, args)))

        return call

    for device in ('cpu', 'cuda'):
        LIBRARY.impl(name, under_autocast(device), f'Autocast{device.upper()}')


def _at_least_single(x: Any) -> Any:
    half = isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16)
    return x.float() if half else x


GOOD, BAD_OFFSETS = -1, -2  # Anything else is an entry that is out of range.


def _csr_matmul(rowptr: Tensor, col: Tensor, value: Tensor | None, x: Tensor) -> Tensor:
    r"""The product of a sparse matrix, in CSR format with :obj:`value` or else ones,
    and :obj:`x` of shape :math:`(M, F)`, in single or double precision.

    Raises:
        IndexError: If the matrix holds a column that :obj:`x` has no row for.
        ValueError: If the types or shapes do not fit, or the row offsets do not ascend
            from 0 to the number of entries.
    """
    fits = x.dim() == 2 and x.dtype in (torch.float32, torch.float64)
    fits = fits and rowptr.dtype == col.dtype in (torch.int32, torch.int64)
    fits = fits and rowptr.numel() > 0
    if value is not None:
        fits = fits and value.dtype == x.dtype and value.numel() == col.numel()
    if not fits:
        values = None if value is None else f'{value.dtype} of {tuple(value.size())}'
        raise ValueError(
            'A product needs float32 or float64 on both sides and int32 or int64 indices '
            f'(got values {values} for {col.numel()} entries, indices {rowptr.dtype} '
            f'and {col.dtype}, features {x.dtype} of {tuple(x.size())})'
        )
    rowptr, col, x = rowptr.contiguous(), col.contiguous(), x.contiguous()
    value = None if value is None else value.contiguous()
    out = x.new_empty(rowptr.numel() - 1, x.size(1))
    state = extension().spmm(
        rowptr.data_ptr(),
        col.data_ptr(),
        None if value is None else value.data_ptr(),
        x.data_ptr(),
        out.size(0),
        x.size(0),
        col.numel(),
        x.size(1),
        col.dtype == torch.int32,
        x.dtype == torch.float64,
        torch.get_num_threads(),
        out.data_ptr(),
    )
    if state == BAD_OFFSETS:
        raise ValueError(
            f'Row offsets need to ascend from 0 to {col.numel()}, the number of entries'
        )
    if state != GOOD:
        raise IndexError(
            f'A column index needs to lie in [0, {x.size(0) - 1}] (got '
            f'{int(col[state])})'
        )
    return out


def _fake_csr_matmul(
    rowptr: Tensor, col: Tensor, value: Tensor | None, x: Tensor
) -> Tensor:
    return x.new_empty(rowptr.size(0) - 1, x.size(1))


register(
    'csr_matmul(Tensor rowptr, Tensor col, Tensor? value, Tensor x) -> Tensor',
    _csr_matmul,
    _fake_csr_matmul,
)
