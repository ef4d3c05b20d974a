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

_logger = logging.getLogger("libav")
_lock = Lock()
# Under the lock: the levels of those who listen now, and how the log was set before the first of them came.
_levels: list[int] = []
_found: list[tuple[int | None, bool, int]] = []


@contextmanager
def capture_log(level: int) -> Iterator[list[Line]]:
    """Collect the lines that FFmpeg logs on this thread meanwhile; those of other threads go nowhere.

    A decoder with threads of its own must be idle before it is freed meanwhile: PyAV frees it under the interpreter's
    lock, waiting for threads that may wait for that lock to log a line.

    Args:
        level: the least grave that is wanted, such as `av.logging.WARNING`.
    """
    with _lock:
        if not _levels:
            _found.append((av.logging.get_level(), av.logging.get_skip_repeated(), _logger.level))
        _levels.append(level)
        _set(max(_levels), False, logging.CRITICAL)
    try:
        with av.logging.Capture(local=True) as lines:
            yield lines
    finally:
        with _lock:
            _levels.remove(level)
            if _levels:
                _set(max(_levels), False, logging.CRITICAL)
            else:
                _set(*_found.pop())


def reason(error: BaseException, lines: Sequence[Line] = ()) -> str:
    """The last line that FFmpeg logged, or else its own words for an error, without the address that it failed on."""
    said = lines[-1][2].strip(". \n") if lines else ""
    return said or getattr(error, "strerror", None) or str(error) or type(error).__name__


def _set(level: int | None, skip_repeated: bool, others: int) -> None:
    """The log's level, whether it leaves out what it said before, and the level of what is heard by no listener."""
    av.logging.set_level(level)
    av.logging.set_skip_repeated(skip_repeated)
    _logger.setLevel(others)
