"""What a site and its cameras tell the program around them, and what that program adds to their runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamer.flow.observers import RunObserver
from streamer.serve.status import CameraStatus


class CameraReporter(Protocol):
    """Receives what happens with the cameras of a site. Each camera's thread calls it."""

    def message(self, name: str, text: str) -> None:
        """One line about a camera."""
        ...


class SiteReporter(CameraReporter, Protocol):
    """Receives what happens at a site."""

    def say(self, text: str) -> None:
        """One line about the site. The thread that changes it."""
        ...

    def refresh(self, cameras: Sequence[CameraStatus]) -> None:
        """About twice a second, and when the state of a camera has changed. The main thread."""
        ...


class SiteViewers(Protocol):
    """Observes the runs of all cameras of a site."""

    def observers(self, camera: str) -> Sequence[RunObserver]:
        """Observers of one run of a camera. The camera's thread."""
        ...

    def remove(self, camera: str) -> None:
        """A camera is gone for good. The thread that changes the site."""
        ...


class NoViewers:
    """Observes nothing."""

    def observers(self, camera: str) -> Sequence[RunObserver]:  # noqa: ARG002
        """See `SiteViewers`."""
        return ()

    def remove(self, camera: str) -> None:
        """See `SiteViewers`."""
