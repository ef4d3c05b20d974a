"""What a camera and a detector of a site do at one moment. Values only; any thread may read them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from streamer.flow.stats import RunStats
from streamer.inference.shared_detector import StreamTurns
from streamer.system.suggestions import counted

HUNG_S = 60.0
"""A camera that runs and shows no frame for so long has a fault: its source itself notices a missing frame earlier."""


class CameraState(StrEnum):
    """What a camera does."""

    STARTING = "starting"
    """It connects, or waits for its detector to load."""
    RUNNING = "running"
    WAITING = "waiting"
    """Its run failed; it begins again after a while."""
    ENDED = "ended"
    """Its source has an end, and was shown to that end."""
    STOPPED = "stopped"
    """It was removed, or the site ends."""


@dataclass(frozen=True, slots=True)
class DetectorStatus:
    """A detector that cameras share.

    Attributes:
        name: as cameras name it.
        workers: how many detections run at the same time.
    """

    name: str
    workers: int = 1


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera.

    Attributes:
        name: of the camera.
        source: its address or path, without credentials.
        state: what it does.
        stats: the figures of its current run, or of its last one; others after a restart.
        restarts: how often it was started again.
        last_event: the last thing that happened to it, one line without the camera's name: an error, or what it shows
            (`1280x720, 15 fps`).
        since_s: monotonic clock when the state began.
        turns: its turns at the detector; None without a shared detector.
        detector: its detector; None before it is known.
        frame_size: width and height of its frames, pixels; None before the first.
    """

    name: str
    source: str
    state: CameraState
    stats: RunStats
    restarts: int = 0
    last_event: str = ""
    since_s: float = 0.0
    turns: StreamTurns | None = None
    detector: DetectorStatus | None = None
    frame_size: tuple[int, int] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether frames can arrive: it runs, and its source is not lost. A live source reconnects within a run."""
        return self.state is CameraState.RUNNING and self.stats.gauges.get(("source_connected", ""), 1.0) > 0

    @property
    def shown_state(self) -> str:
        """The state for a person: `lost` for a run without its source."""
        return "lost" if self.state is CameraState.RUNNING and not self.is_connected else self.state.value

    @property
    def shown_event(self) -> str:
        """The last event for a person: for a run without its source, why it is not connected."""
        tries = self.state is CameraState.STARTING or self.shown_state == "lost"
        return (self.stats.source_fault if tries else "") or self.last_event

    @property
    def last_frame_age_s(self) -> float | None:
        """Time since a frame was shown, seconds; None before the first frame of the run."""
        return None if self.stats.shown_s is None else time.monotonic() - self.stats.shown_s

    @property
    def state_s(self) -> float:
        """How long the shown state lasts, seconds; of a lost source, since the last frame."""
        now_s = time.monotonic()
        if self.shown_state == "lost" and self.stats.shown_s is not None:
            return now_s - self.stats.shown_s
        return now_s - self.since_s

    @property
    def fault(self) -> str:
        """Why it shows no frames although it should, one line; empty if it runs, or has ended."""
        if self.state is CameraState.ENDED:
            return ""
        if self.is_connected:
            age_s = self.last_frame_age_s or 0.0
            return "" if age_s < HUNG_S else f"running, but no frame was shown for {age_s:.0f} s"
        return f"{self.shown_state}: {self.shown_event}" if self.shown_event else self.shown_state


def running_text(cameras: Sequence[CameraStatus]) -> str:
    """How many cameras run, one line for the service manager."""
    return f"{sum(camera.is_connected for camera in cameras)} of {counted(len(cameras), 'camera')} running"
