"""States of cameras, made for tests of what shows them."""

from __future__ import annotations

import time
from typing import Any

from streamer.flow.stats import RunStats
from streamer.inference.shared_detector import StreamTurns
from streamer.serve.status import CameraState, CameraStatus, DetectorStatus
from streamer.values.states import FrameState

STARTER = DetectorStatus("starter", workers=2)


def running(name: str, event: str = "1280x720, 15 fps", **changes: Any) -> CameraStatus:
    """A camera that has shown frames."""
    values: dict[str, Any] = {
        "source": f"rtsp://camera/{name}",
        "state": CameraState.RUNNING,
        "stats": some_stats(name),
        "last_event": event,
        "since_s": time.monotonic(),
        "turns": StreamTurns(20, 0.75),
        "detector": STARTER,
    }
    return CameraStatus(name, **(values | changes))


def waiting(name: str, error: str = "rtsp://camera/yard: refused") -> CameraStatus:
    """A camera whose run failed."""
    return running(name, error, state=CameraState.WAITING, stats=RunStats(name), restarts=3, turns=None)


def lost(name: str) -> CameraStatus:
    """A camera that runs, and connects again."""
    status = running(name)
    status.stats.set_source(fault=f"{status.source}: stalled, no data for 5 s")
    return status


def some_stats(name: str) -> RunStats:
    """Figures of a run of 100 frames."""
    stats = RunStats(name)
    stats.set_source(fault="")
    show(stats, entered=100, shown=90, detected=20)
    stats.ledger.settle(FrameState.DROPPED, "detector busy", 7)
    return stats


def show(
    stats: RunStats, *, entered: int, shown: int, detected: int, age_s: float = 0.05, detect_s: float = 0.02
) -> None:
    """More frames enter, are shown and detected."""
    stats.ledger.enter(entered)
    stats.ledger.settle(FrameState.DETECTED, frames=detected)
    for _ in range(shown):
        stats.add_shown()
        stats.add_age("shown", age_s)
    for _ in range(detected):
        stats.add_time("detect", detect_s)
