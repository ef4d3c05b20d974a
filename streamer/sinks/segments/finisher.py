"""Completes the files of a recording on a thread of its own: the frames that follow need not wait for the disk.

A file belongs to the thread that writes the recording until it is handed over, then to the finishing thread. The last
one may be kept a little before that, for sound that comes behind its picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from streamer.sinks.segments.segment import Segment


class Finisher:
    """Completes files in the order in which they are handed over.

    Args:
        afterwards: called by the finishing thread after each file.

    Attributes:
        kept: the file that waits for the last of its sound.
    """

    def __init__(self, afterwards: Callable[[], None]) -> None:
        self.kept: Segment | None = None
        self._afterwards = afterwards
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="streamer-recording")
        self._pending: deque[tuple[Path, Future[Sequence[str]]]] = deque()

    @property
    def taken(self) -> list[Path]:
        """Names that are about to be given."""
        kept = [] if self.kept is None else [self.kept.path]
        return [path for path, _ in self._pending] + kept

    def keep(self, segment: Segment) -> None:
        """Let a file be completed later; the one before it, now."""
        self.release()
        self.kept = segment

    def release(self) -> None:
        """Let the file that waits be completed, if there is one."""
        segment, self.kept = self.kept, None
        if segment is not None:
            self.hand_over(segment)

    def hand_over(self, segment: Segment) -> None:
        """Let a file be completed, after the one that waits."""
        self.release()
        self._pending.append((segment.path, self._pool.submit(self._finish, segment)))

    def settle(self, *, leave: int = 0) -> list[str]:
        """Wait for the files that were handed over: what is not exactly as in the input.

        Args:
            leave: not for the last so many.

        Raises:
            SinkError: one could not be completed.
        """
        notes: list[str] = []
        while len(self._pending) > leave:
            _, finished = self._pending.popleft()
            notes += finished.result()
        return notes

    def close(self) -> None:
        """End the thread, once all is done."""
        self._pool.shutdown()

    def _finish(self, segment: Segment) -> Sequence[str]:
        try:
            segment.complete()
        finally:
            self._afterwards()
        return segment.notes
