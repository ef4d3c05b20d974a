"""Tells targets what a camera counts now, and whether it runs, whenever that has changed. Any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from streamer.notify.target import CameraCondition
from streamer.values.events import NOTHING_WATCHED, EventKind, Watched

_CONDITIONS = {
    EventKind.CAMERA_COVERED: CameraCondition.COVERED,
    EventKind.CAMERA_CLEAR: CameraCondition.RUNNING,
}


class Readings:
    """The newest readings of one camera.

    Args:
        camera: its name.
        publish: gets the name and the readings, if they differ from those before; it returns at once.
    """

    def __init__(self, camera: str, publish: Callable[[str, Watched, CameraCondition], None]) -> None:
        self._camera, self._publish = camera, publish
        self._lock = threading.Lock()  # guards the readings; held while they are published, which keeps their order
        self._watched, self._condition = NOTHING_WATCHED, CameraCondition.STOPPED

    def start(self) -> None:
        """The camera begins."""
        self.change(CameraCondition.STARTING)

    def scene(self, watched: Watched) -> None:
        """A scene was shown."""
        with self._lock:
            condition = self._condition
            if condition is not CameraCondition.COVERED:
                condition = CameraCondition.RUNNING
            for event in watched.events:
                condition = _CONDITIONS.get(event.kind, condition)
            if condition is not self._condition or replace(watched, events=()) != replace(self._watched, events=()):
                self._watched, self._condition = watched, condition
                self._publish(self._camera, watched, condition)

    def change(self, condition: CameraCondition) -> None:
        """The camera starts, is lost, or has stopped."""
        with self._lock:
            if condition is not self._condition:
                self._condition = condition
                self._publish(self._camera, self._watched, condition)
