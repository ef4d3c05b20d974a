"""Ctrl-C, SIGTERM and SIGHUP: the first signal ends a run in order, the second at once. Used by the main thread.

A program that runs for weeks reloads its settings at SIGHUP instead.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Self

from streamer.system.threads import Thread

log = logging.getLogger(__name__)

_RELOAD, _END = "reload", "end"
_END_S = 2.0


class Interrupts:
    """While entered, SIGINT, SIGTERM and SIGHUP call the function given to `stop_with`, or raise KeyboardInterrupt.

    A closed terminal sends SIGHUP several times, together with SIGTERM where a whole session ends, so SIGHUP never
    counts as the second signal. Where SIGHUP is ignored already (`nohup`), it stays ignored. After
    `reload_with`, SIGHUP reloads.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        """The last signal that counts; the exit code of an interrupted program is 128 plus this number."""
        self.raised = False
        """A KeyboardInterrupt was raised. A library may have turned it into an error of its own."""
        self._stop: Callable[[], None] | None = None
        self._before: dict[int, Any] = {}
        self._requests: SimpleQueue[str] = SimpleQueue()
        self._reloader: Thread | None = None
        self._unraisable = sys.unraisablehook

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        self._unraisable = sys.unraisablehook
        sys.unraisablehook = self._ignore
        for number in numbers:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._unraisable
        if self._reloader is not None:
            self._requests.put(_END)
            self._reloader.join(_END_S)

    def stop_with(self, stop: Callable[[], None]) -> None:
        """From now on the first signal calls `stop`, on a thread of its own.

        If a signal came before and a library has swallowed the KeyboardInterrupt, `stop` is called now.
        """
        self._stop = stop
        if self.raised:
            stop()

    def reload_with(self, reload: Callable[[], None]) -> None:
        """From now on SIGHUP calls `reload`, on a thread of its own, and no longer ends the program.

        Signals during a call lead to one more call after it. A closed terminal sends SIGHUP too: the program reloads
        and goes on. SIGHUP is handled even where it was ignored (`nohup`). Called once, while entered.
        """
        self._before.setdefault(signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        self._reloader = Thread("reload", self._reload_on_request, reload)
        self._reloader.start()
        signal.signal(signal.SIGHUP, self._handle)

    def _reload_on_request(self, reload: Callable[[], None]) -> None:
        while True:
            wanted = {self._requests.get()}
            with suppress(Empty):
                while True:
                    wanted.add(self._requests.get_nowait())
            if _END in wanted:
                return
            try:
                reload()
            except Exception:
                log.exception("the reload failed; the program goes on as before")

    def _ignore(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Say nothing of a KeyboardInterrupt in a callback of Python, such as one of an import, which cannot be raised.

        `stop_with` knows of it.
        """
        if not (self.raised and unraisable.exc_type is KeyboardInterrupt):
            self._unraisable(unraisable)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP and self._reloader is not None:
            self._requests.put(_RELOAD)  # unlike other queues, a SimpleQueue allows this in a signal handler
            return
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
