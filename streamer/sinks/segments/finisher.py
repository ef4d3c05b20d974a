"""Completes the files of a recording in a thread of its own, so that later frames need not wait for the disk.

A file is used by the thread that writes the recording until it is handed over, then by the finishing thread. The last
file may be kept for a short time before that, for late audio.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from streamer.sinks.segments.segment import Segment
from streamer.system.threads import ThreadPool

MOST_KNOWN = 1000


class Finisher:
    """Completes files in the order in which they are handed over.

    Args:
        recorded: called by the finishing thread with each complete file.
        completed: called by it after each file, also if that failed.

    Attributes:
        kept: the file that waits for the end of its audio.
        completed: the newest `MOST_KNOWN` files that `settle` has waited for, oldest first.
    """

    def __init__(self, recorded: Callable[[Segment], None], completed: Callable[[], None]) -> None:
        self.kept: Segment | None = None
        self.completed: deque[Path] = deque(maxlen=MOST_KNOWN)
        self._recorded, self._completed = recorded, completed
        self._pool = ThreadPool(1, "recording")
        self._pending: deque[tuple[Path, Future[Sequence[str]]]] = deque()

    @property
    def taken(self) -> list[Path]:
        """Names that the files will get."""
        kept = [] if self.kept is None else [self.kept.path]
        return [path for path, _ in self._pending] + kept

    def keep(self, segment: Segment) -> None:
        """Keep a file, and complete the one that was kept before."""
        self.release()
        self.kept = segment

    def release(self) -> None:
        """Complete the kept file, if there is one."""
        segment, self.kept = self.kept, None
        if segment is not None:
            self.hand_over(segment)

    def hand_over(self, segment: Segment) -> None:
        """Complete a file, after the kept one."""
        self.release()
        self._pending.append((segment.path, self._pool.submit(self._finish, segment)))

    def settle(self, *, leave: int = 0) -> list[str]:
        """Wait for files to be completed. Returns their notes.

        Args:
            leave: how many of the last files need not be complete.

        Raises:
            SinkError: a file could not be completed.
        """
        notes: list[str] = []
        while len(self._pending) > leave:
            path, finished = self._pending.popleft()
            notes += finished.result()
            self.completed.append(path)
        return notes

    def close(self) -> None:
        """End the thread after the last file."""
        self._pool.shutdown()

    def _finish(self, segment: Segment) -> Sequence[str]:
        try:
            segment.complete()
            self._recorded(segment)
        finally:
            self._completed()
        return segment.notes
