"""Tells targets what a camera counts now, and whether it runs, whenever that has changed. Any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from streamer.notify.target import CameraCondition
from streamer.values.events import NOTHING_WATCHED, EventKind, Watched


class Readings:
    """The newest readings of one camera.

    Args:
        camera: its name.
        publish: gets the name and the readings, if they differ from those before; it returns at once.
    """

    def __init__(self, camera: str, publish: Callable[[str, Watched, CameraCondition], None]) -> None:
        self._camera, self._publish = camera, publish
        self._lock = threading.Lock()  # guards the readings; held while they are published, which keeps their order
        self._watched, self._condition, self._is_covered = NOTHING_WATCHED, CameraCondition.STOPPED, False
        self._published: tuple[Watched, CameraCondition] = NOTHING_WATCHED, CameraCondition.STOPPED

    def scene(self, watched: Watched) -> None:
        """A scene was shown. Frames of before a loss are shown after it, too, so a lost camera stays lost."""
        with self._lock:
            self._watched = replace(watched, events=())
            if self._condition is not CameraCondition.LOST:
                self._condition = CameraCondition.RUNNING
            for event in watched.events:
                if event.kind in (EventKind.CAMERA_COVERED, EventKind.CAMERA_CLEAR):
                    self._is_covered = event.kind is EventKind.CAMERA_COVERED
            self._tell()

    def change(self, condition: CameraCondition) -> None:
        """The camera starts, is lost, or has stopped. One that is lost stays so while it starts again."""
        with self._lock:
            if condition is CameraCondition.STARTING:
                self._is_covered = False
                if self._condition is CameraCondition.LOST:
                    return
            self._condition = condition
            self._tell()

    def back(self) -> None:
        """The camera sends frames."""
        with self._lock:
            if self._condition is CameraCondition.LOST:
                self._condition = CameraCondition.RUNNING
                self._tell()

    def _tell(self) -> None:
        is_covered = self._is_covered and self._condition is CameraCondition.RUNNING
        readings = self._watched, CameraCondition.COVERED if is_covered else self._condition
        if readings != self._published:
            self._published = readings
            self._publish(self._camera, *readings)
