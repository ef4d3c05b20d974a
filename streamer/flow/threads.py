"""A group of threads that starts and ends together. The first error of any of them is raised.

Owned by the thread that enters it. A thread that hangs in a library is logged and left behind.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, Self

from streamer.flow.queues import Closed
from streamer.system.threads import PREFIX, Thread

log = logging.getLogger(__name__)

DEADLINE_S = 10.0


def leave(code: int) -> NoReturn:
    """End the program with an exit code, at once if one of its threads still runs.

    The normal end of the interpreter takes down libraries that such a thread still uses, and takes long: in the middle
    of a frame of Faster R-CNN Inception-ResNet v2, the program ended 3.3 s after Ctrl-C, and 1.4 s with this function
    (single runs on two cores).
    """
    if any(thread.name.startswith(PREFIX) for thread in threading.enumerate()):
        with suppress(OSError):  # the reader has closed the pipe
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


class ThreadGroup:
    """Threads that start together and end together.

    Args:
        on_error: called once per failing thread, on that thread, to wake the others (close the queues).
        deadline_s: how long leaving waits for the threads without a deadline of their own; 10 s if None.
    """

    def __init__(self, on_error: Callable[[], None], *, deadline_s: float | None = None) -> None:
        self._on_error = on_error
        self._deadline_s = DEADLINE_S if deadline_s is None else deadline_s
        self._threads: list[tuple[Thread, float]] = []  # with their deadlines
        self._first_error: BaseException | None = None
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[], None], *, deadline_s: float | None = None) -> None:
        """Run `work` on a new thread. `Closed` ends it silently; any other exception is raised by the group.

        Args:
            name: of the thread, after `streamer-`.
            work: what it does.
            deadline_s: how long leaving waits for this thread; shorter than for the others if it may be in a long call
                that cannot be interrupted and whose result is not needed.
        """
        thread = Thread(name, self._run, work)
        self._threads.append((thread, self._deadline_s if deadline_s is None else deadline_s))
        thread.start()

    def join(self) -> None:
        """Wait for all threads, then raise the first error of any of them."""
        began_s = time.monotonic()
        for thread, deadline_s in self._threads:
            thread.join(max(0.0, began_s + deadline_s - time.monotonic()))
        for thread, deadline_s in self._threads:
            if thread.is_alive():
                level = logging.WARNING if deadline_s >= self._deadline_s else logging.INFO
                log.log(level, "%s did not end within %.1f s and was left behind", thread.name, deadline_s)
        with self._lock:
            error, self._first_error = self._first_error, None
        if error is not None:
            raise error from error.__cause__  # not the closed queue that the caller may be handling

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        # A closed queue is the consequence of a thread's error and must not hide it. Any other exception of the owner
        # came first and is kept.
        if error is None or isinstance(error, Closed):
            self.join()
            return
        self._on_error()
        try:
            self.join()
        except BaseException as later:
            log.debug("after %r a thread also failed: %r", error, later)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Closed:
            return
        except BaseException as error:
            with self._lock:
                if self._first_error is None:
                    self._first_error = error
            self._on_error()
