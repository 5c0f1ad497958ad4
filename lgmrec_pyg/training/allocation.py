import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # Of the malloc.h of glibc.
MAX_MMAP_THRESHOLD = 32 * 2**20
KEPT = 512 * 2**20


@cache
def keep_freed_memory() -> bool:
    r"""Lets this process keep up to 512 MiB of memory that it has freed, for the next
    training step to take again.

    A step allocates and frees the same tensors every time. By default, glibc gives
    the larger ones back to the operating system, which then clears page after page
    anew, for a good part of a step on a large graph.

    Returns:
        Whether this process allocates by glibc; otherwise, nothing changes.
    """
    if not sys.platform.startswith('linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    # Setting either stops glibc from adapting both.
    return bool(
        mallopt(M_MMAP_THRESHOLD, MAX_MMAP_THRESHOLD)
        and mallopt(M_TRIM_THRESHOLD, KEPT)
    )
