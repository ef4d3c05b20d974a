"""Filters the start-up messages of native libraries out of standard error.

LiteRT and TensorFlow write these lines to file descriptor 2 from C++ and have no option to disable them. Used while a
detector is built, before other threads run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def held_back(drop: Callable[[bytes], bool]) -> Iterator[None]:
    """Buffer what the process writes to stderr, then write it without the lines for which `drop` returns True.

    If the block fails, all lines are written, because they may contain the reason. Without stderr it does nothing.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # closed or missing
        yield
        return
    failed = True
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            buffer.seek(0)
            with suppress(OSError):  # no reader, or the disk is full
                for line in buffer:
                    if failed or not drop(line):
                        os.write(2, line)
