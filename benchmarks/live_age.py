"""Age of the frame that a slow detector gets, over a long live run.

    python -m benchmarks.live_age [--minutes M] [--fps F] [--detector-ms MS] [--json FILE]

The scripted RTSP camera of the fault lab at 1280x720, the real pipeline, and a detector that sleeps. The age of a frame
is the time from its arrival (its last packet, before decoding) to the detector. The goal is at most one frame interval
plus decoding, during the whole run, without a trend. Memory, threads and descriptors are read after the first minute
and at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.clips import machine
from streamer.flow.stats import RunStats
from streamer.pipeline import Pipeline
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.faults.camera import Camera
from tracking.iou import IouTracker
from tracking.types import Detections

SIZE = (1280, 720)
SETTLED_S = 60.0


class SlowDetector:
    """Sleeps, and records the age of each frame. Used by the detector thread, read after the run."""

    labels = LabelTable(("thing",))

    def __init__(self, sleep_s: float) -> None:
        self.entries: list[tuple[float, float]] = []  # monotonic clock, age; seconds
        self._sleep_s = sleep_s
        self._pause = threading.Event()  # never set

    def detect(self, frame: Frame) -> Detections:
        now_s = time.monotonic()
        self.entries.append((now_s, now_s - frame.captured_s))
        self._pause.wait(self._sleep_s)
        return Detections(np.array([[1, 1, 30, 30]]), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        """Nothing to release."""


def resources() -> dict[str, float]:
    """Memory, threads and descriptors of this process."""
    process = psutil.Process()
    rss_mib = process.memory_info().rss / 2**20
    return {"rss_mib": round(rss_mib, 1), "threads": process.num_threads(), "descriptors": process.num_fds()}


def measure(minutes: float, fps: float, detector_s: float) -> dict[str, Any]:
    """All figures of one run."""
    stats, detector = RunStats(), SlowDetector(detector_s)
    held: dict[str, float] = {}
    at_end: dict[str, float] = {}
    load_before = os.getloadavg()[0]
    with Camera(size=SIZE, fps=fps) as camera, LiveSource(NetworkConnector(camera.url), stats=stats) as source:
        pipeline = Pipeline(source, [detector], IouTracker(), stats=stats)
        began_s = time.monotonic()
        for _ in pipeline:
            now_s = time.monotonic()
            if not held and now_s - began_s > min(SETTLED_S, minutes * 20):
                held = resources()
            if now_s - began_s > minutes * 60:
                at_end = resources()  # before the run ends
                break
    return summary(detector.entries, stats, fps) | {
        "minutes": minutes,
        "fps": fps,
        "detector_ms": detector_s * 1e3,
        "held_after_settling": held,
        "held_at_end": at_end,
        "load_average": {"before": load_before, "after": os.getloadavg()[0]},
        "machine": machine(),
    }


def summary(entries: list[tuple[float, float]], stats: RunStats, fps: float) -> dict[str, Any]:
    """Ages, their trend, and the final states of all frames."""
    times_s, ages_ms = np.array(entries).T
    ages_ms = ages_ms * 1e3
    third = len(ages_ms) // 3
    slope_ms_an_hour = float(np.polyfit(times_s - times_s[0], ages_ms, 1)[0]) * 3600
    decode_ms = stats.stages["decode"].percentile_s(95) * 1e3
    entered, settled = stats.ledger.snapshot()
    return {
        "detected": len(entries),
        "age_ms": {f"p{percent:g}": round(float(np.percentile(ages_ms, percent)), 2) for percent in (50, 95, 99, 100)},
        "limit_ms": round(1e3 / fps + decode_ms, 2),
        "over_limit": int((ages_ms > 1e3 / fps + decode_ms).sum()),
        "decode_p95_ms": round(decode_ms, 2),
        "p95_ms_first_third": round(float(np.percentile(ages_ms[:third], 95)), 2),
        "p95_ms_last_third": round(float(np.percentile(ages_ms[-third:], 95)), 2),
        "slope_ms_an_hour": round(slope_ms_an_hour, 3),
        "frames": {"entered": entered} | {" ".join(filter(None, state)): n for state, n in sorted(settled.items())},
    }


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--detector-ms", type=float, default=500.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    figures = measure(options.minutes, options.fps, options.detector_ms / 1e3)
    for name, value in figures.items():
        print(f"{name:22} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
