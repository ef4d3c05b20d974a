"""Keeps the start-up chatter of native libraries off the terminal.

LiteRT and TensorFlow write to file descriptor 2 from C++ and offer no switch for these lines. Used by the main thread
while it builds a detector, before other threads run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def held_back(drop: Callable[[bytes], bool]) -> Iterator[None]:
    """Hold what the process writes to stderr, then write it out without the lines that `drop` names.

    Nothing is dropped when the block fails: the lines may tell why. Does nothing where there is no stderr.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # closed, or none at all
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
            with suppress(OSError):  # nobody reads it, or no room is left
                for line in buffer:
                    if failed or not drop(line):
                        os.write(2, line)
