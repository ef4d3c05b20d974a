"""A site whose cameras are names only, for tests of what controls it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamer.config.camera import CameraSettings
from streamer.config.section import validated
from streamer.errors import ConfigError
from streamer.flow.stats import RunStats
from streamer.serve.status import CameraState, CameraStatus, DetectorStatus
from streamer.system.suggestions import nearest


@dataclass(frozen=True)
class FakeChanges:
    """What a reload changed."""

    added: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"added: {', '.join(self.added) or 'none'}"


class FakeSite:
    """Checks names and settings like a site; `error` is raised by every change."""

    def __init__(self, *names: str) -> None:
        self.settings = {name: CameraSettings.model_validate({"source": {"uri": f"{name}.mp4"}}) for name in names}
        self.restarted: list[str] = []
        self.error: Exception | None = None
        self.reloading, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def cameras(self) -> list[CameraStatus]:
        """All of them run, except `dead`."""
        return [self._status(name) for name in self.settings]

    def _status(self, name: str) -> CameraStatus:
        state = CameraState.WAITING if name == "dead" else CameraState.RUNNING
        source = self.settings[name].source.uri or ""
        since_s = time.monotonic() - 7300
        event, detector = "connection refused" if name == "dead" else "", DetectorStatus("nanodet")
        return CameraStatus(name, source, state, RunStats(name), 0, event, since_s, detector=detector)

    def reload(self) -> FakeChanges:
        """Waits for `go_on`."""
        self._check()
        self.reloading.set()
        assert self.go_on.wait(10)
        return FakeChanges(("garage",))

    def add(self, name: str, settings: Mapping[str, Any]) -> None:
        """Add a camera."""
        self._check()
        if name in self.settings:
            raise ConfigError(f"there is a camera {name!r} already")
        self.settings[name] = validated(CameraSettings, settings, "cameras", name)

    def remove(self, name: str) -> None:
        """Remove a camera."""
        self._check(name)
        del self.settings[name]

    def restart(self, name: str) -> None:
        """Restart a camera."""
        self._check(name)
        self.restarted.append(name)

    def _check(self, name: str | None = None) -> None:
        if self.error is not None:
            raise self.error
        if name is not None and name not in self.settings:
            raise ConfigError(f"there is no camera {name!r}{nearest(name, self.settings)}")
