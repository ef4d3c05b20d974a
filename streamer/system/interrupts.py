"""Ctrl-C, SIGTERM and SIGHUP: the first signal ends a run in order, the second at once. Used by the main thread."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from streamer.system.threads import Thread


class Interrupts:
    """While entered, SIGINT, SIGTERM and SIGHUP call the function given to `stop_with`, or raise KeyboardInterrupt.

    A closed terminal sends SIGHUP several times, together with SIGTERM where a whole session ends, so SIGHUP never
    counts as the second signal. Where SIGHUP is ignored already (`nohup`), it stays ignored.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        """The last signal that counts; the exit code of an interrupted program is 128 plus this number."""
        self.raised = False
        """A KeyboardInterrupt was raised. A library may have turned it into an error of its own."""
        self._stop: Callable[[], None] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop_with(self, stop: Callable[[], None]) -> None:
        """From now on the first signal calls `stop`, on a thread of its own.

        If a signal came before and a library has swallowed the KeyboardInterrupt, `stop` is called now.
        """
        self._stop = stop
        if self.raised:
            stop()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        before = self.signal_number
        if before is not None and number == signal.SIGHUP:
            return
        self.signal_number = number
        if before == signal.SIGHUP:  # the run is ending already; this is the first signal that a person may have sent
            return
        if before is not None or self._stop is None:
            self.raised = True
            raise KeyboardInterrupt
        # The handler may interrupt the main thread while it holds the lock that `stop` needs. So another thread stops.
        Thread("stop", self._stop).start()
