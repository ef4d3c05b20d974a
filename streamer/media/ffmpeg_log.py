"""Captures FFmpeg's log: its error codes have too little detail, and lost packets have none.

FFmpeg has one log for the whole process, and PyAV passes on each line under the GIL, from every thread. So the log is
enabled only during a capture. Called by the thread whose lines are captured.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import av

Line = tuple[int, str, str]
"""FFmpeg's level, the component (`h264`, `rtsp`), the text."""

_logger = logging.getLogger("libav")
_lock = Lock()
# Under the lock: the levels of the current captures, and the settings of the log before the first of them.
_levels: list[int] = []
_found: list[tuple[int | None, bool, int]] = []


@contextmanager
def capture_log(level: int) -> Iterator[list[Line]]:
    """Collect the lines that FFmpeg logs on this thread; lines of other threads are dropped.

    During a capture, a decoder with threads of its own must be idle before it is freed: PyAV frees it while it holds
        the
    GIL and waits for its threads, which may need the GIL to log a line.

    Args:
        level: the least severe level to capture, such as `av.logging.WARNING`.
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
    """The last line that FFmpeg logged, or else its text for the error, without the address."""
    last = lines[-1][2].strip(". \n") if lines else ""
    return last or getattr(error, "strerror", None) or str(error) or type(error).__name__


def _set(level: int | None, skip_repeated: bool, others: int) -> None:
    """Set the level of the log, whether it skips repeated lines, and the level of lines without a capture."""
    av.logging.set_level(level)
    av.logging.set_skip_repeated(skip_repeated)
    _logger.setLevel(others)
