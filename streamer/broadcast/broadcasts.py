"""The broadcasts of all cameras of a site, by name.

The thread that changes the site asks for observers; the web server's thread asks for broadcasts.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.viewers import Viewers
from streamer.config.web import LiveVideoSettings
from streamer.flow.observers import RunObserver

if TYPE_CHECKING:
    from streamer.broadcast.peers import Peers


class Broadcasts:
    """Keeps one broadcast per camera over all runs of the camera, so that its viewers stay.

    Args:
        settings: of the live video.

    Attributes:
        viewers: those of all cameras.
    """

    def __init__(self, settings: LiveVideoSettings) -> None:
        self.viewers = Viewers(settings.viewers)
        self._settings = settings
        self._lock = threading.Lock()  # guards the dict
        self._broadcasts: dict[str, Broadcast] = {}

    @cached_property
    def peers(self) -> Peers:
        """The viewers by WebRTC. The web server's thread."""
        from streamer.broadcast.peers import Peers  # here: aiortc takes 0.2 s, and some programs use no WebRTC

        return Peers(self.viewers)

    def observers(self, camera: str) -> Sequence[RunObserver]:
        """The observers of one run of a camera."""
        return (self.of(camera).observer(),)

    def get(self, camera: str) -> Broadcast | None:
        """The broadcast of a camera; None if the camera has not run yet."""
        with self._lock:
            return self._broadcasts.get(camera)

    def remove(self, camera: str) -> None:
        """The camera is gone: end its viewers."""
        with self._lock:
            broadcast = self._broadcasts.pop(camera, None)
        self.viewers.end(camera)
        if broadcast is not None:
            broadcast.close()

    def close(self) -> None:
        """End all viewers."""
        with self._lock:
            names = list(self._broadcasts)
        for name in names:
            self.remove(name)

    def of(self, camera: str) -> Broadcast:
        """The broadcast of a camera of the site, also before its first run."""
        with self._lock:
            if camera not in self._broadcasts:
                self._broadcasts[camera] = Broadcast(camera, self._settings)
            return self._broadcasts[camera]
