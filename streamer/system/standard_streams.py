"""Standard output and error that never end a run: closed, full, a reader that has gone, a terminal that is no more.

What cannot be written there is left out; the files of a run do not depend on it. Called by the main thread before
anything else is opened; the streams are written by any thread afterwards.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, TextIO

from streamer.system.paths import readable

_CONTROLS = "".join(map(chr, range(32)))
_PATIENCE_S = 0.25
"""How long messages wait for whoever reads them: a terminal that is stopped (Ctrl-S) must not stop a live run."""


class TolerantOutput(io.RawIOBase):
    """A descriptor to write to, which takes everything; what fails is forgotten, but for the reason.

    Args:
        descriptor: not closed by this.
        patience_s: how long a write waits for a reader before the rest is left out; for ever if None.
    """

    def __init__(self, descriptor: int, *, patience_s: float | None = None) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._patience_s = patience_s
        self._stalled = False
        self._failure: OSError | None = None

    @property
    def failure(self) -> OSError | None:
        """Why something could not be written; None if all was."""
        with self._lock:
            return self._failure

    def wait_at_most(self, patience_s: float) -> None:
        """From now on a write waits no longer for a reader."""
        with self._lock:
            self._patience_s = patience_s

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        """Write what can be written; says that it was all of `data`."""
        view = memoryview(data).cast("B")
        with self._lock:
            try:
                rest = view
                while rest and self._has_room():
                    with suppress(BlockingIOError):  # shared with a program that made it non-blocking
                        rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
            except OSError as error:
                self._failure = self._failure or error
        return len(view)

    def _has_room(self) -> bool:
        """Wait until `PIPE_BUF` bytes can be written without waiting; False if nobody reads."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        patience_s = 0 if self._stalled else self._patience_s
        self._stalled = not poll.poll(None if patience_s is None else patience_s * 1000)
        return not self._stalled


class ReadableText(io.TextIOWrapper):
    """Text for people: what would hide or turn round other characters is written as `readable` shows it.

    ASCII's own controls pass, for progress displays and colours need them; names are made readable where they come in.
    """

    def write(self, text: str, /) -> int:
        """Write `text`; says that it was all of it."""
        super().write(readable(text, keep=_CONTROLS))
        return len(text)


def protect() -> None:
    """Put streams that fail quietly in the place of `sys.stdout` and `sys.stderr`, and fill descriptors 0 to 2.

    A descriptor that was closed becomes the null device: the next file that is opened would get its number, and what
    libraries print would go into that file. Output of a job in the background is written also where `stty tostop`
    would stop the job for it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):  # the lowest number that is free is this one
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _tolerant(sys.stdout, 1, line_buffering=os.isatty(1), patience_s=None)
    sys.stderr = _tolerant(sys.stderr, 2, line_buffering=True, patience_s=_PATIENCE_S)


def wait_for_no_reader() -> None:
    """Let standard output, too, leave out what nobody reads: of a command whose result is a file."""
    raw = _raw_output()
    if raw is not None:
        raw.wait_at_most(_PATIENCE_S)


def lost_output() -> str:
    """Why results on standard output are lost; "" if none are, or if their reader has gone as that of `| head` does."""
    raw = _raw_output()
    if raw is None:
        return ""
    sys.stdout.flush()
    failure = raw.failure
    return "" if failure is None or failure.errno == errno.EPIPE else failure.strerror or str(failure)


def _raw_output() -> TolerantOutput | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, TolerantOutput) else None


def _tolerant(before: TextIO | None, descriptor: int, *, line_buffering: bool, patience_s: float | None) -> TextIO:
    if before is not None:
        with suppress(OSError):
            before.flush()
    return ReadableText(
        io.BufferedWriter(TolerantOutput(descriptor, patience_s=patience_s)),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering or bool(getattr(before, "write_through", False)),
    )
