"""The viewers of all cameras: how many there may be, and how they end. Each is a task of the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from streamer.errors import StreamerError


class ViewerKind(StrEnum):
    """What a viewer takes."""

    VIDEO = "live videos"
    OVERLAY = "overlays"


class TooManyViewers(StreamerError):
    """There is no place for another viewer."""


class Viewers:
    """Admits viewers up to a number of each kind.

    Args:
        most: of each kind, over all cameras.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()  # guards all below
        self._tasks: dict[asyncio.Task[object], tuple[str, ViewerKind]] = {}

    def count(self, camera: str | None = None) -> int:
        """The viewers of the video of a camera, or of all cameras. Any thread."""
        with self._lock:
            admitted = list(self._tasks.values())
        return sum(kind is ViewerKind.VIDEO and camera in (None, name) for name, kind in admitted)

    @contextmanager
    def admitted(self, camera: str, kind: ViewerKind = ViewerKind.VIDEO) -> Iterator[None]:
        """The running task is a viewer, from entering to leaving.

        Raises:
            TooManyViewers: on entering.
        """
        task = asyncio.current_task()
        assert task is not None
        with self._lock:
            if sum(other is kind for _, other in self._tasks.values()) >= self._most:
                raise TooManyViewers(f"{self._most} {kind} are open, the most that web.live.viewers allows")
            self._tasks[task] = camera, kind
        try:
            yield
        finally:
            with self._lock:
                del self._tasks[task]

    def end(self, camera: str | None = None) -> None:
        """End the viewers of a camera, or of all cameras. Any thread; does not wait."""
        with self._lock:
            tasks = [task for task, (name, _) in self._tasks.items() if camera in (None, name)]
        for task in tasks:
            loop = task.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)
