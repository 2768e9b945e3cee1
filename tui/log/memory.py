"""Gives memory back to the system when a large log was closed: the C library keeps what was freed."""

import contextlib
import ctypes

LARGE = 4 * 2**20
"""Bytes of a log from which on it is worth the few milliseconds."""


def give_back() -> None:
    """Return freed memory to the system (malloc_trim of glibc; elsewhere nothing is done)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
