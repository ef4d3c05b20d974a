"""How Python and the C library treat memory: while a large model is loaded, and with many threads. Any thread."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Parameters of mallopt in malloc.h of glibc.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_LARGEST = 2**31 - 1
_WHILE_LOADING = {_MMAP_THRESHOLD: 2**30, _TRIM_THRESHOLD: _LARGEST, _TOP_PAD: 2**26}
# What glibc changes the first two to when a program frees blocks of 32 MiB, and its default of the third.
_AFTERWARDS = {_MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26, _TOP_PAD: 2**17}


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause the garbage collector: it would visit millions of live objects again and again.

    That takes a tenth of the time in which a large graph is loaded, and a sixth of TensorFlow's import.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let the C library keep freed memory of any size for the next use, and return it to the system at the end.

    It returns large blocks at once by default. A graph with its weights is copied several times while it is loaded, and
    the system clears each page that it gives to a process: more than a second for a graph of 260 MB. Nothing changes
    with a C library other than glibc.
    """
    _set(_WHILE_LOADING)
    try:
        yield
    finally:
        _set(_AFTERWARDS)
        if sys.platform == "linux":
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)


def _set(values: dict[int, int]) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            for parameter, value in values.items():
                ctypes.CDLL(None).mallopt(parameter, value)


def share_arenas(most: int) -> None:
    """Let all threads allocate from at most so many arenas of the C library, before the threads start.

    By default glibc gives threads arenas of their own, up to eight per core, and what one camera frees in its arena is
    of no use to the others.
    """
    _set({_ARENA_MAX: most})
