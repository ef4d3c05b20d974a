"""What FFmpeg says while somebody listens: its error codes alone tell too little, and of lost packets there are none.

FFmpeg has one log for the whole process, and PyAV hands on each line of it under the interpreter's lock, whatever
thread it comes from. So it is on only while somebody listens. Called by the thread that is to be listened to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import av

Line = tuple[int, str, str]
"""FFmpeg's level, the part that speaks (`h264`, `rtsp`), the text."""

_lock = Lock()
_levels: list[int] = []  # of those who listen now, under the lock


@contextmanager
def listening(level: int) -> Iterator[list[Line]]:
    """Collect the lines that FFmpeg logs on this thread meanwhile; those of other threads go nowhere.

    A decoder with threads of its own must be idle before it is freed meanwhile: PyAV frees it under the interpreter's
    lock, waiting for threads that may wait for that lock to log a line.

    Args:
        level: the least grave that is wanted, such as `av.logging.WARNING`.
    """
    with _lock:
        _levels.append(level)
        _apply()
    try:
        with av.logging.Capture(local=True) as lines:
            yield lines
    finally:
        with _lock:
            _levels.remove(level)
            _apply()


def reason(error: BaseException, lines: Sequence[Line] = ()) -> str:
    """The last line that FFmpeg logged, or else its own words for an error, without the address that it failed on."""
    said = lines[-1][2].strip(". \n") if lines else ""
    return said or getattr(error, "strerror", None) or str(error) or type(error).__name__


def _apply() -> None:
    av.logging.set_level(max(_levels, default=None))
    av.logging.set_skip_repeated(not _levels)
    logging.getLogger("libav").setLevel(logging.CRITICAL)  # where the lines of other threads go
