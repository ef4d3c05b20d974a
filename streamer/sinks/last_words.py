"""What FFmpeg said before it failed: its error codes alone ("Invalid argument") tell a user nothing.

Used by the thread that enters a sink.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av


@contextmanager
def listening() -> Iterator[list[tuple[int, str, str]]]:
    """Collects what FFmpeg logs as errors on this thread meanwhile: `(level, part, text)` each."""
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture(local=True) as lines:
            yield lines
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)


def reason(error: BaseException, lines: list[tuple[int, str, str]] | None = None) -> str:
    """The last line that FFmpeg logged, or else what the error itself says, without file names."""
    said = lines[-1][2].strip(". \n") if lines else ""
    return said or getattr(error, "strerror", None) or str(error) or type(error).__name__
