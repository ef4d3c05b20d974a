"""Run all benchmarks, one after the other: `python -m benchmarks`."""

from __future__ import annotations

import subprocess
import sys

ALL = (
    "throughput",
    "overhead",
    "drawing",
    "lines",
    "camera_watch",
    "tracker",
    "memory",
    "start",
    "small_detectors",
    "detector_calls",
    "onnx_calls",
    "remote",
    "remote_ray",
    "suppression",
    "live_age",
    "glass_to_glass",
    "page",
    "browser_camera",
    "reconnects",
    "capture_isolation",
    "killed_recording",
    "batch",
    "delivery",
    "event_list",
    "event_clips",
    "cameras",
    "event_files",
    "annotated_clips",
    "events_page",
)

for name in ALL:
    print(f"\n== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
