"""A nursery for threads: none outlives it unnoticed, and the first error is the one that the user sees.

Owned by the thread that enters it. The threads are daemons, so that one which hangs in a library cannot keep the
program from ending; it is named instead.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, Self

from streamer.flow.queues import Closed

log = logging.getLogger(__name__)

DEADLINE_S = 10.0
_NAME = "streamer-"


def leave(code: int) -> NoReturn:
    """End the program with an exit code: at once if a thread of it was left behind, for nothing waits for that one.

    The interpreter's own end takes libraries apart that such a thread still uses, and takes long over it: in the middle
    of a frame of Faster R-CNN Inception-ResNet v2, Ctrl-C ended the program after 3.3 s, and after 1.4 s like this
    (single runs on two cores).
    """
    if any(thread.name.startswith(_NAME) for thread in threading.enumerate()):
        with suppress(OSError):  # nobody reads it
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


class ThreadGroup:
    """Threads that start together and end together.

    Args:
        on_error: called once, from the failing thread, to wake the others (close the mailboxes).
        deadline_s: how long leaving waits for all threads together that have no patience of their own; 10 s if None.
    """

    def __init__(self, on_error: Callable[[], None], *, deadline_s: float | None = None) -> None:
        self._on_error = on_error
        self._deadline_s = DEADLINE_S if deadline_s is None else deadline_s
        self._threads: list[tuple[threading.Thread, float]] = []  # with how long leaving waits for it
        self._first_error: BaseException | None = None
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[], None], *, patience_s: float | None = None) -> None:
        """Run `work` on a thread of its own. `Closed` ends it quietly, any other exception is the crew's.

        Args:
            name: of the thread, after `streamer-`.
            work: what it does.
            patience_s: how long leaving waits for this thread, if less than for the others: one that may be in the
                middle of something long, that cannot be woken and that nobody needs any more.
        """
        thread = threading.Thread(target=self._run, args=(work,), name=f"{_NAME}{name}", daemon=True)
        self._threads.append((thread, self._deadline_s if patience_s is None else patience_s))
        thread.start()

    def join(self) -> None:
        """Wait for all threads, then raise the first error that one of them met."""
        began_s = time.monotonic()
        for thread, patience_s in self._threads:
            thread.join(max(0.0, began_s + patience_s - time.monotonic()))
        for thread, patience_s in self._threads:
            if thread.is_alive():
                level = logging.WARNING if patience_s >= self._deadline_s else logging.INFO
                log.log(level, "%s did not end within %.1f s and was left behind", thread.name, patience_s)
        with self._lock:
            error, self._first_error = self._first_error, None
        if error is not None:
            raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The consequence of a thread's error (a closed mailbox) must not hide the error itself, but any other
        # exception on the owner's thread came first and stays.
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
