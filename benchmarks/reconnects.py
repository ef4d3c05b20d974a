"""Growth of memory, threads and descriptors over a thousand reconnects.

    python -m benchmarks.reconnects [--reconnects N] [--json FILE]

The scripted RTSP camera of the fault lab ends the stream or resets the connection, in turn, after each frame from the
real pipeline. Only the wait before the first attempt is shorter than in the program.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.clips import machine
from streamer.config.source import SourceSettings
from streamer.flow.stats import RunStats
from streamer.pipeline import Pipeline
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.faults.camera import Camera
from tracking.iou import IouTracker
from tracking.types import Detections

SETTLED = 50
FIRST_WAIT_S = 0.02
_LINE = "streamer-connection"


class OneBox:
    """A detector that costs nothing."""

    labels = LabelTable(("thing",))

    def detect(self, frame: Frame) -> Detections:  # noqa: ARG002
        return Detections(np.array([[1, 1, 30, 30]]), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        """Nothing to release."""


def held() -> dict[str, float]:
    """Memory, threads and descriptors of this process, once abandoned connections are closed."""
    lines = [thread for thread in threading.enumerate() if thread.name.startswith(_LINE)]
    for line in lines[:-1]:
        line.join(10)
    gc.collect()
    process = psutil.Process()
    rss_mib = round(process.memory_info().rss / 2**20, 2)
    return {"rss_mib": rss_mib, "threads": process.num_threads(), "descriptors": process.num_fds()}


def measure(reconnects: int) -> dict[str, Any]:
    """One run, with the resources along the way."""
    stats = RunStats()
    marks = {SETTLED, reconnects, *range(100, reconnects, 100)}
    rows: dict[int, dict[str, float]] = {}
    before, began_s = held(), time.monotonic()
    settings = SourceSettings(first_wait_s=FIRST_WAIT_S)
    with (
        Camera(key_frame_on_play=True) as camera,
        LiveSource(NetworkConnector(camera.url), settings, stats) as source,
    ):
        pipeline = Pipeline(source, [OneBox()], IouTracker(), stats=stats)
        segment = done = 0
        broken = False
        for scene in pipeline:
            if scene.frame.segment > segment:
                segment, done, broken = scene.frame.segment, done + 1, False
                for told in (
                    "gone",
                    "describe",
                    "play",
                ):  # or its events accumulate in this process
                    camera.wait_for(told)
                if done in marks:
                    rows[done] = held()
                if done == reconnects:
                    break
            if not broken:
                broken = True
                (camera.end_streams if done % 2 else camera.disconnect)()
    took_s = time.monotonic() - began_s
    counts = {cause: n for (what, cause), n in stats.counts.items() if what == "reconnect"}
    return {
        "reconnects": counts,
        "held": rows,
        "growth_mib": round(rows[reconnects]["rss_mib"] - rows[SETTLED]["rss_mib"], 2),
        "seconds_each": round(took_s / reconnects, 3),
        "held_before": before,
        "held_after_the_end": held(),
        "frames_without_an_end": stats.ledger.in_flight,
        "load_average": os.getloadavg()[0],
        "machine": machine(),
    }


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reconnects", type=int, default=1000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.reconnects < SETTLED:
        parser.error(f"at least {SETTLED}: the first ones are the warm-up")
    logging.disable()  # it logs each loss and each return of the camera
    figures = measure(options.reconnects)
    for at, row in figures["held"].items():
        print(f"after {at:5d}: {row}")
    for name in (
        "growth_mib",
        "reconnects",
        "seconds_each",
        "held_before",
        "held_after_the_end",
        "load_average",
        "machine",
    ):
        print(f"{name:20} {figures[name]}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
