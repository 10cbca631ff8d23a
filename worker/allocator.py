"""The C library's allocator gives back to the system what the next step of a training asks it for again.

Each page of it then costs a fault and is cleared anew. Only glibc is told otherwise; elsewhere nothing happens.
"""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # the numbers of malloc.h
_MOST = 2**31 - 1
_AHEAD = 64 * 2**20  # bytes that the heap grows by at a time


def keep_freed_memory() -> None:
    """From now on this process keeps what it frees, large blocks too, until `give_back_memory`."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_MAX, 0)  # a block of its own would go back as soon as it is freed
        library.mallopt(_TRIM_THRESHOLD, _MOST)
        library.mallopt(_TOP_PAD, _AHEAD)


def give_back_memory() -> None:
    """What is free now goes back to the system."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
