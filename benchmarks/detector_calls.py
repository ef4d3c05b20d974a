"""A hub module of a few kB over many frames, and the project's own time per frame.

    python -m benchmarks.detector_calls [--calls N]

Over N frames of changing sizes it measures the start (from the choice of the detector to its first detections, with the
import of TensorFlow) and the growth of memory. Then it measures the time around the model's call for a frame of
1920x1080.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.clips import machine
from benchmarks.detector import frames
from streamer.classes import open_images
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.outputs import OutputReader
from streamer.detectors.tfhub.signatures import recognise
from streamer.detectors.watchdog import WatchedDetector
from streamer.features import DetectorContext
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections


def many_calls(calls: int) -> None:
    """Memory over many frames of changing sizes, start to first detections, and the project's own time per frame."""
    from streamer.detectors.selection import build_detector

    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "module"
        # Written by another process, so that this one starts without TensorFlow.
        write = (
            f"import pathlib; from tests.detectors.tfhub import tiny_module; "
            f"tiny_module.write(pathlib.Path({str(module)!r}))"
        )
        subprocess.run([sys.executable, "-c", write], check=True, capture_output=True)
        began_s = time.perf_counter()
        settings = DetectorSettings(name=str(module), device="cpu")
        (detector,) = build_detector(settings, DetectorContext()).detectors
        pictures = [frame for n in range(10) for frame in frames(1, 320 + 16 * n, 180 + 10 * n)]
        detector.detect(pictures[0])
        print(f"a module of a few kB: {time.perf_counter() - began_s:.2f} s to the first detections")
        process, base = psutil.Process(), 0
        for number in range(calls):
            detector.detect(pictures[number % len(pictures)])
            if number + 1 in (calls // 10, calls):
                memory = process.memory_info().rss
                print(
                    f"after {number + 1} frames: {memory / 1e6:.1f} MB"
                    + (f", {memory / base - 1:+.2%}" if base else "")
                )
                base = base or memory
        detector.close()


def own_time() -> None:
    """Time around the model's call for a frame of 1920x1080."""
    (frame,) = frames(1, 1920, 1080)
    module = Path("module")
    from tests.detectors.tfhub.test_signatures import hub_module

    reader = OutputReader(recognise([hub_module()], module), open_images.label_table(), 0.0)
    random = np.random.default_rng(0)
    corners = np.sort(random.random((100, 2, 2), np.float32), axis=1).reshape(100, 4)
    ids = random.integers(1, 602, 100)
    mids = np.array([open_images.classes()[row - 1].mid.encode() for row in ids], object)
    arrays: list[Any] = [corners, np.sort(random.random(100, np.float32))[::-1], ids, mids, mids]
    instant = WatchedDetector(lambda: Instant(), DetectorSettings(timeout_s=60))
    parts = {
        "frame to uint8 RGB": lambda: frame.rgb(),
        "100 rows to detections": lambda: reader.read(arrays, 1920, 1080),
        "deadline of the watchdog": lambda: instant.detect(frame),
    }
    total_ms = 0.0
    for name, part in parts.items():
        took_ms = statistics.median(_timed_ms(part) for _ in range(200))
        total_ms += took_ms
        print(f"{name}: {took_ms:.2f} ms")
    print(f"own time around the model's call at 1920x1080: {total_ms:.2f} ms")
    instant.close()


class Instant:
    """A detector that takes no time."""

    labels = LabelTable(names=("thing",))

    def detect(self, frame: Frame) -> Detections:
        """Returns nothing, at once."""
        del frame
        return Detections.empty()

    def close(self) -> None:
        """Nothing to release."""


def _timed_ms(part: Any) -> float:
    began_s = time.perf_counter()
    part()
    return (time.perf_counter() - began_s) * 1e3


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    print(machine())
    many_calls(parser.parse_args().calls)
    own_time()


if __name__ == "__main__":
    main()
