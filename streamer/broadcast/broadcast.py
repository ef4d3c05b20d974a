"""The live video of one camera: its newest scene, and the viewers.

The display thread of the camera hands scenes over and never waits. Encoders have threads of their own, which run only
while someone watches.
"""

from __future__ import annotations

import threading

from streamer.config.web import LiveVideoSettings
from streamer.flow.observers import RunObserver
from streamer.interfaces import Scene


class Broadcast:
    """One camera, over all of its runs.

    Args:
        camera: its name.
        settings: of the live video.
    """

    def __init__(self, camera: str, settings: LiveVideoSettings) -> None:
        self.camera = camera
        self.settings = settings
        self._lock = threading.Lock()  # guards all below
        self._newest: Scene | None = None

    @property
    def newest(self) -> Scene | None:
        """The newest scene; None before the first. Any thread."""
        with self._lock:
            return self._newest

    def observer(self) -> RunObserver:
        """The observer of one run."""
        return _Observer(self)

    def put(self, scene: Scene) -> None:
        """A scene was shown. Display thread."""
        with self._lock:
            self._newest = scene

    def close(self) -> None:
        """End all viewers. Any thread."""


class _Observer(RunObserver):
    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    def scene_shown(self, scene: Scene) -> None:
        self._broadcast.put(scene)
