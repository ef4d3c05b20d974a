"""Standard output and error whose failure never ends a run: closed streams, full disks, closed pipes and terminals.

Text that cannot be written is dropped; the files of a run do not depend on it. `protect` is called before anything else
is opened. Any thread may then write to the streams.
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
_TIMEOUT_S = 0.25
"""How long a message waits for its reader: a stopped terminal (Ctrl-S) must not stop a live run."""


class TolerantOutput(io.RawIOBase):
    """Writes to a descriptor and never fails; it keeps the reason of the first failure.

    Args:
        descriptor: stays open.
        timeout_s: how long a write waits for a reader before it drops the rest; without limit if None.
    """

    def __init__(self, descriptor: int, *, timeout_s: float | None = None) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._timeout_s = timeout_s
        self._stalled = False
        self._failure: OSError | None = None

    @property
    def failure(self) -> OSError | None:
        """Why something could not be written; None if everything was."""
        with self._lock:
            return self._failure

    def wait_at_most(self, timeout_s: float) -> None:
        """From now on a write waits at most this long for a reader."""
        with self._lock:
            self._timeout_s = timeout_s

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
        """Write as much as possible; always returns the length of `data`."""
        view = memoryview(data).cast("B")
        with self._lock:
            try:
                rest = view
                while rest and self._has_room():
                    with suppress(BlockingIOError):  # another program made it non-blocking
                        rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
            except OSError as error:
                self._failure = self._failure or error
        return len(view)

    def _has_room(self) -> bool:
        """Wait until `PIPE_BUF` bytes can be written; False after a timeout."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        timeout_s = 0 if self._stalled else self._timeout_s
        self._stalled = not poll.poll(None if timeout_s is None else timeout_s * 1000)
        return not self._stalled


class ReadableText(io.TextIOWrapper):
    """Text for people: characters that hide other text or change its direction are written as `readable` writes them.

    ASCII controls pass, because progress displays and colours need them.
    """

    def write(self, text: str, /) -> int:
        """Write `text`; returns its length."""
        super().write(readable(text, keep=_CONTROLS))
        return len(text)


def protect() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams that never fail, and open descriptors 0 to 2.

    A closed descriptor becomes the null device. Otherwise the next opened file would get its number, and libraries
    would print into that file. A background job is not stopped for its output, also under `stty tostop`.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):  # this descriptor is the lowest free number
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _tolerant(sys.stdout, 1, line_buffering=os.isatty(1), timeout_s=None)
    sys.stderr = _tolerant(sys.stderr, 2, line_buffering=True, timeout_s=_TIMEOUT_S)


def drop_unread_output() -> None:
    """Let standard output drop text without a reader, too, for commands whose result is a file."""
    raw = _raw_output()
    if raw is not None:
        raw.wait_at_most(_TIMEOUT_S)


def lost_output() -> str:
    """Why results on standard output were lost; "" if none were, or if the reader closed the pipe, like `| head`."""
    raw = _raw_output()
    if raw is None:
        return ""
    sys.stdout.flush()
    failure = raw.failure
    return "" if failure is None or failure.errno == errno.EPIPE else failure.strerror or str(failure)


def reader_leaves(timeout_s: float) -> bool:
    """Write what is buffered, and wait until standard output has no reader any more; whether that is so.

    Args:
        timeout_s: how long it waits. A signal handler that raises ends the wait.
    """
    sys.stdout.flush()
    raw = _raw_output()
    if raw is not None and raw.failure is not None:
        return True
    poll = select.poll()
    with suppress(OSError, ValueError):
        poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups only
    return bool(poll.poll(timeout_s * 1000))


def _raw_output() -> TolerantOutput | None:
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, TolerantOutput) else None


def _tolerant(before: TextIO | None, descriptor: int, *, line_buffering: bool, timeout_s: float | None) -> TextIO:
    if before is not None:
        with suppress(OSError):
            before.flush()
    return ReadableText(
        io.BufferedWriter(TolerantOutput(descriptor, timeout_s=timeout_s)),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering or bool(getattr(before, "write_through", False)),
    )
