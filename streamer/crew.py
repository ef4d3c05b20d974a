"""A nursery for threads: none outlives it unnoticed, and the first error is the one that the user sees.

Owned by the thread that enters it. The threads are daemons, so that one which hangs in a library cannot keep the
program from ending; it is named instead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from streamer.mailbox import Closed

log = logging.getLogger(__name__)


class Crew:
    """Threads that start together and end together.

    Args:
        on_error: called once, from the failing thread, to wake the others (close the mailboxes).
        deadline_s: how long leaving waits for all threads together.
    """

    def __init__(self, on_error: Callable[[], None], *, deadline_s: float = 10.0) -> None:
        self._on_error = on_error
        self._deadline_s = deadline_s
        self._threads: list[threading.Thread] = []
        self._first_error: BaseException | None = None
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` on a thread of its own. `Closed` ends it quietly, any other exception is the crew's."""
        thread = threading.Thread(target=self._run, args=(work,), name=f"streamer-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for all threads, then raise the first error that one of them met."""
        end = time.monotonic() + self._deadline_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for thread in self._threads:
            if thread.is_alive():
                log.warning("%s did not end within %.0f s and was left behind", thread.name, self._deadline_s)
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
