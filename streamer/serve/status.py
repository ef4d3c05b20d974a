"""What a camera and a detector of a site do at one moment. Values only; any thread may read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamer.flow.stats import RunStats
from streamer.inference.shared_detector import StreamTurns


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
        detector: name of its detector.
    """

    name: str
    source: str
    state: CameraState
    stats: RunStats
    restarts: int = 0
    last_event: str = ""
    since_s: float = 0.0
    turns: StreamTurns | None = None
    detector: str = ""

    @property
    def is_connected(self) -> bool:
        """Whether frames can arrive: it runs, and its source is not lost. A live source reconnects within a run."""
        return self.state is CameraState.RUNNING and self.stats.gauges.get(("source_connected", ""), 1.0) > 0

    @property
    def fault(self) -> str:
        """Why it shows no frames although it should, one line; empty if it runs, or has ended."""
        if self.is_connected or self.state is CameraState.ENDED:
            return ""
        state = "lost" if self.state is CameraState.RUNNING else self.state.value
        return f"{state}: {self.last_event}" if self.last_event else state


@dataclass(frozen=True, slots=True)
class DetectorStatus:
    """A detector that cameras share.

    Attributes:
        name: as cameras name it.
        workers: how many detections run at the same time.
    """

    name: str
    workers: int = 1
