"""Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, a second one at once. Owned by the main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """While entered, SIGINT, SIGTERM and SIGHUP call `on_stop` if there is one, else raise KeyboardInterrupt.

    SIGHUP, of a terminal that was closed, comes several times, together with SIGTERM where a whole session ends; so it
    never counts as the second. Where it is ignored already (`nohup`) it stays so.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        """The last signal that counts; the exit code of an interrupted program is 128 + this."""
        self.on_stop: Callable[[], None] | None = None
        self.raised = False
        """A KeyboardInterrupt was raised; a library it passed through may have turned it into an error of its own."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop(self) -> None:
        """Any thread: end what is to be ended, as a signal would; without one nothing happens."""
        if self.on_stop is not None:
            self.on_stop()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        before = self.signal_number
        if before is not None and number == signal.SIGHUP:
            return
        self.signal_number = number
        if before == signal.SIGHUP:  # it is ending already; this is the first that may come from a person
            return
        if before is not None or self.on_stop is None:
            self.raised = True
            raise KeyboardInterrupt
        # The handler may have interrupted the main thread while it holds the very lock that stopping needs, so the
        # stopping is done by a thread of its own.
        threading.Thread(target=self.on_stop, name="streamer-stop", daemon=True).start()
