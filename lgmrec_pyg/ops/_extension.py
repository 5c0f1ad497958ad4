import ctypes
from functools import cache
from importlib.util import find_spec
from typing import Any


@cache
def _library() -> ctypes.CDLL | None:
    spec = find_spec('lgmrec_pyg.ops._kernels')
    if spec is None or spec.origin is None:
        return None
    library = ctypes.CDLL(spec.origin)
    pointer, long, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
    integer, flag = ctypes.c_int, ctypes.c_bool
    pointers: list[Any] = [pointer] * 3
    sizes: list[Any] = [pointer, pointer, long, long, integer, real]
    library.infonce_narrow.argtypes = [*sizes, integer, pointer, *pointers]
    library.infonce_narrow_scratch.argtypes = [long, integer]
    library.infonce_wide.argtypes = [*sizes, flag, integer, *pointers]
    library.membership.argtypes = [pointer, long, long, real, integer, real]
    library.membership.argtypes += [ctypes.c_uint64, integer, pointer, pointer]
    library.membership_backward.argtypes = [*pointers, long, long, real, real]
    library.membership_backward.argtypes += [integer, pointer]
    library.spmm.argtypes = [*pointers, pointer, long, long, long, long]
    library.spmm.argtypes += [flag, flag, integer, pointer]
    library.topk.argtypes = [pointer, pointer, *[long] * 4, pointer, pointer]
    library.topk.argtypes += [integer, *pointers]
    library.topk_scratch.argtypes = [long, long]
    for name in (
        'infonce_narrow',
        'infonce_wide',
        'membership',
        'membership_backward',
        'topk',
    ):
        getattr(library, name).restype = None
    for name in ('infonce_narrow_scratch', 'spmm', 'topk_scratch'):
        getattr(library, name).restype = long
    return library


def has_extension() -> bool:
    r"""Whether the C++ extension was built when the package was installed."""
    return _library() is not None


def extension() -> ctypes.CDLL:
    r"""The C++ extension.

    Raises:
        ImportError: If it was not built.
    """
    library = _library()
    if library is None:
        raise ImportError(
            "The C++ extension is missing: install a C++ compiler and run 'pip install "
            "-e .' again"
        )
    return library
