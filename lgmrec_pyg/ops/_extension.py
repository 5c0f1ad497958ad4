import ctypes
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

# A plain library of operators, since a call of one by `torch.library.custom_op` takes
# three times as long (14 instead of 4 microseconds with tiny inputs, 40 instead of 34
# with a gradient), and the first call imports the compiler (1.7 seconds).
LIBRARY = torch.library.Library('lgmrec_pyg', 'DEF')
VERSIONS = {'DEFAULT': 'baseline', 'AVX2': 'avx2', 'AVX512': 'avx512'}


class Pointer(ctypes.c_void_p):
    r"""The memory of a contiguous tensor, or null."""

    @classmethod
    def from_param(cls, x: Tensor | None) -> 'Pointer':
        return cls(None if x is None else x.data_ptr())


# The type of the result and those of the arguments.
SIGNATURES = {
    'infonce_narrow': '-ppllifipppp',
    'infonce_narrow_scratch': 'lli',
    'infonce_wide': '-ppllifbippp',
    'membership': '-pllfifuipp',
    'spmm': 'lppppllllbbip',
    'topk': '-ppllllppippp',
    'topk_scratch': 'lll',
}
TYPES: dict[str, Any] = {
    '-': None,
    'p': Pointer,
    'l': ctypes.c_int64,
    'u': ctypes.c_uint64,
    'i': ctypes.c_int,
    'b': ctypes.c_bool,
    'f': ctypes.c_float,
}


def available_versions() -> list[str]:
    r"""The versions of the kernels that this CPU can run, the fastest one last."""
    # PyTorch chooses its own kernels by the same instruction sets.
    best = VERSIONS.get(torch.backends.cpu.get_cpu_capability(), 'baseline')
    names = list(VERSIONS.values())
    return names[: names.index(best) + 1]


def load(version: str) -> SimpleNamespace | None:
    r"""The kernels in one of :func:`available_versions`, if they were built."""
    if version not in available_versions():
        raise ValueError(
            f"'LGMREC_PYG_KERNELS' needs to be one of {available_versions()} on this "
            f'CPU (got {version!r})'
        )
    path = Path(__file__).with_name('_kernels.so')
    if not path.exists():
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:  # Built for another system.
        warnings.warn(f'Runs without the C++ extension: {error}', stacklevel=2)
        return None
    kernels = SimpleNamespace(version=version)
    for name, types in SIGNATURES.items():
        kernel = getattr(library, f'{name}_{version}')
        kernel.restype = TYPES[types[0]]
        kernel.argtypes = [TYPES[x] for x in types[1:]]
        setattr(kernels, name, kernel)
    return kernels


KERNELS = load(os.environ.get('LGMREC_PYG_KERNELS') or available_versions()[-1])


def has_extension() -> bool:
    r"""Whether the C++ extension was built when the package was installed.

    It holds a version of every kernel for plain CPUs, for AVX2 and for AVX-512, of
    which the best one runs, or that of the environment variable
    ``LGMREC_PYG_KERNELS``: ``baseline``, ``avx2`` or ``avx512``.
    """
    return KERNELS is not None


def extension() -> Any:
    r"""The kernels of the C++ extension.

    Raises:
        ImportError: If it was not built.
    """
    if KERNELS is None:
        raise ImportError(
            "The C++ extension is missing: install a C++ compiler and run 'pip install "
            "-e .' again"
        )
    return KERNELS


def register(
    schema: str,
    kernel: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    setup_context: Callable[..., None] | None = None,
    key: str = 'CPU',
    half: bool = False,
) -> None:
    r"""Makes a function an operator of PyTorch in the name space ``lgmrec_pyg``.

    Args:
        schema (str): Its name and signature.
        kernel (callable): What it computes.
        fake (callable): Empty tensors like those that it returns.
        backward (callable, optional): Its gradient. (default: :obj:`None`)
        setup_context (callable, optional): What to keep for the gradient.
            (default: :obj:`None`)
        key (str, optional): The dispatch key of the kernel. (default: :obj:`"CPU"`)
        half (bool, optional): Whether it takes half precision under autocast, rather
            than casting it to single precision. (default: :obj:`False`)
    """
    name = schema.split('(')[0]
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, kernel, key)
    torch.library.register_fake(f'lgmrec_pyg::{name}', fake, lib=LIBRARY)
    if backward is not None:
        torch.library.register_autograd(
            f'lgmrec_pyg::{name}', backward, setup_context=setup_context, lib=LIBRARY
        )
    operator = getattr(torch.ops.lgmrec_pyg, name).default

    def under_autocast(device: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            # The products inside of a kernel are not to be cast once more.
            with torch.autocast(device, enabled=False):
                return operator(*(args if half else map(_at_least_single, args)))

        return call

    for device in ('cpu', 'cuda'):
        LIBRARY.impl(name, under_autocast(device), f'Autocast{device.upper()}')


def _at_least_single(x: Any) -> Any:
    half = isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16)
    return x.float() if half else x
