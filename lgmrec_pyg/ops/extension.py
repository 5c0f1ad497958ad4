import ctypes
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

MAX_FUSED_COLUMNS = 16


@cache
def _library() -> ctypes.CDLL | None:
    spec = find_spec('lgmrec_pyg.ops._infonce')
    if spec is None or spec.origin is None:
        return None
    library = ctypes.CDLL(spec.origin)
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    library.infonce.argtypes = [pointer, pointer, size, size, ctypes.c_int]
    library.infonce.argtypes += [
        ctypes.c_float,
        ctypes.c_int,
        pointer,
        pointer,
        pointer,
    ]
    library.infonce.restype = None
    return library


def has_extension() -> bool:
    r"""Whether the C++ extension was built when the package was installed."""
    return _library() is not None


def fused_infonce(
    anchors: Tensor, keys: Tensor, bound: float
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The fused loop behind :func:`~lgmrec_pyg.ops.infonce` on CPU.

    Args:
        anchors (torch.Tensor): Anchors of shape :math:`(B, K)`, in single
            precision, with :math:`K \leq 16`.
        keys (torch.Tensor): Keys of shape :math:`(N, K)`.
        bound (float): An upper bound :math:`c` of all inner products.

    Returns:
        The sums :math:`\sum_n \exp(\mathbf{a}_b^{\top} \mathbf{k}_n - c)` of
        shape :math:`(B)`, and the gradients of the sum of their logarithms with
        respect to anchors and keys.
    """
    library = _library()
    if library is None:
        raise ImportError(
            "The C++ extension is missing: install a C++ compiler and run 'pip install "
            "--no-build-isolation -e .', or use backend='chunked'"
        )
    if anchors.dtype != torch.float32 or anchors.size(1) > MAX_FUSED_COLUMNS:
        raise ValueError(
            f"backend 'fused' needs float32 and at most {MAX_FUSED_COLUMNS} columns "
            f'(got {anchors.dtype} and {anchors.size(1)})'
        )
    anchors, keys_t = anchors.contiguous(), keys.t().contiguous()
    sums = anchors.new_empty(anchors.size(0))
    grad_anchors, grad_keys_t = torch.empty_like(anchors), torch.zeros_like(keys_t)
    library.infonce(
        anchors.data_ptr(),
        keys_t.data_ptr(),
        anchors.size(0),
        keys.size(0),
        anchors.size(1),
        bound,
        torch.get_num_threads(),
        sums.data_ptr(),
        grad_anchors.data_ptr(),
        grad_keys_t.data_ptr(),
    )
    return sums, grad_anchors, grad_keys_t.t()
