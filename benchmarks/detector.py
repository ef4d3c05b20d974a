"""The hub detector against the way that its page on TensorFlow Hub shows, side by side in one run.

    python -m benchmarks.detector MODULE_DIR [--precision P] [--rounds N] [--frames N]
    python -m benchmarks.detector [--calls N]

With a module, each side is a process of its own, in turns: time from the start of the process to the first detections,
seconds a warm frame, peak memory, and whether both found the same; `--precision` compares another precision with
float32 instead. Without one, a module of a few kB runs N times at changing sizes: how its memory grows, how long its
start takes, and the project's own time a frame.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from streamer.commands import packaged_clip
from streamer.detectors.outputs import OutputReader
from streamer.detectors.signatures import recognise
from streamer.detectors.watchdog import WatchedDetector
from streamer.frame import Frame
from streamer.labels import LabelTable
from streamer.models import open_images
from streamer.sources.selection import open_source
from tracking.types import Detections

WIDTH, HEIGHT = 1280, 720
HUB_PAGE = "as the hub's page shows"


def frames(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[Frame]:
    """Frames of a real clip, scaled."""
    with open_source(str(packaged_clip())) as source:
        taken = list(islice(source, 0, 25 * count, 25))
    return [
        Frame(frame.picture.reformat(width, height), n, n, Fraction(1, 25), float(n)) for n, frame in enumerate(taken)
    ]


def as_the_page_shows(module: Path, pictures: list[Frame]) -> dict[str, Any]:
    """`hub.load(handle).signatures['default']` and what its page does around it."""
    import tensorflow as tf
    import tensorflow_hub as hub

    detect = hub.load(str(module)).signatures["default"]
    results, took_s = [], []
    for frame in pictures:
        began_s = time.perf_counter()
        image = tf.image.convert_image_dtype(frame.rgb(), tf.float32)[tf.newaxis, ...]
        result = {key: value.numpy() for key, value in detect(image).items()}
        took_s.append(time.perf_counter() - began_s)
        results.append(result)
        if len(results) == 1:
            first_s = _since_start_s()
    reader = OutputReader(recognise([_signature(module)], module), open_images.label_table(), 0.0)
    keys = ("boxes", "scores", "class_labels", "class_names", "class_entities")
    found = [reader.read([result[f"detection_{key}"] for key in keys], WIDTH, HEIGHT) for result in results]
    return _figures(found, took_s, first_s)


def as_we_do(module: Path, pictures: list[Frame], precision: str) -> dict[str, Any]:
    """The detector as a run builds it."""
    from streamer.detectors import selection

    choice = selection.choose(str(module))
    (detector,) = selection.build(choice, selection.Options(min_score=0.0, device="cpu", precision=precision))
    found, took_s = [], []
    for frame in pictures:
        began_s = time.perf_counter()
        found.append(detector.detect(frame))
        took_s.append(time.perf_counter() - began_s)
        if len(found) == 1:
            first_s = _since_start_s()
    return _figures(found, took_s, first_s)


def _signature(module: Path) -> Any:
    from streamer.models import saved_model

    return saved_model.read_signatures(module)[0]


def _since_start_s() -> float:
    return float(time.time() - psutil.Process().create_time())


def _figures(found: list[Detections], took_s: list[float], first_s: float) -> dict[str, Any]:
    return {
        "first_s": first_s,
        "warm_s": statistics.median(took_s[1:] or took_s),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "detections": [[each.boxes.tolist(), each.scores.tolist(), each.labels.tolist()] for each in found],
    }


def compare(module: Path, precision: str, rounds: int, count: int) -> None:
    """Print the ratios of the two sides, run in turns."""
    baseline = HUB_PAGE if precision == "float32" else "float32"
    sides: dict[str, list[dict[str, Any]]] = {baseline: [], precision + " ": []}
    for number in range(rounds):
        for side, runs in sides.items():
            child = [sys.executable, "-m", "benchmarks.detector", str(module), "--frames", str(count)]
            done = subprocess.run([*child, "--side", side], check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
            last = {key: round(value, 2) for key, value in runs[-1].items() if key != "detections"}
            print(f"round {number + 1}, {side.strip():24} {last}", flush=True)
    (_, theirs), (_, ours) = sides.items()
    for key, what in (
        ("first_s", "start to first detections"),
        ("warm_s", "a warm frame"),
        ("peak_gb", "peak memory"),
    ):
        ratios = [one[key] / other[key] for one, other in zip(theirs, ours, strict=True)]
        print(f"{what}: {baseline} / {precision} = {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    _tell_difference(theirs[0]["detections"], ours[0]["detections"])


def _tell_difference(expected: list[Any], given: list[Any]) -> None:
    for number, ((boxes, scores, labels), (our_boxes, our_scores, our_labels)) in enumerate(
        zip(expected, given, strict=True)
    ):
        if labels != our_labels:
            print(f"frame {number}: labels or their order differ ({len(labels)} and {len(our_labels)} boxes)")
            continue
        size = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
        moved = np.abs(np.array(boxes) / size - np.array(our_boxes) / size).max(initial=0)
        changed = np.abs(np.array(scores) - np.array(our_scores)).max(initial=0)
        same = f"{len(labels)} boxes, same labels and order"
        print(f"frame {number}: {same}; boxes within {moved:.1e}, scores within {changed:.1e}")


def many_calls(calls: int) -> None:
    """Memory over many frames of changing sizes, start to first detections, and the project's own time a frame."""
    from streamer.detectors import selection

    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "module"
        # Written by another process: this one is to start without TensorFlow.
        write = (
            f"import pathlib; from tests.detectors import tiny_module; tiny_module.write(pathlib.Path({str(module)!r}))"
        )
        subprocess.run([sys.executable, "-c", write], check=True, capture_output=True)
        began_s = time.perf_counter()
        (detector,) = selection.build(selection.choose(str(module)), selection.Options(device="cpu"))
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
    """What a frame of 1920x1080 costs around the model's call."""
    (frame,) = frames(1, 1920, 1080)
    module = Path("module")
    from tests.detectors.test_signatures import hub_module

    reader = OutputReader(recognise([hub_module()], module), open_images.label_table(), 0.0)
    random = np.random.default_rng(0)
    corners = np.sort(random.random((100, 2, 2), np.float32), axis=1).reshape(100, 4)
    ids = random.integers(1, 602, 100)
    mids = np.array([open_images.classes()[row - 1].mid.encode() for row in ids], object)
    arrays: list[Any] = [corners, np.sort(random.random(100, np.float32))[::-1], ids, mids, mids]
    instant = WatchedDetector(lambda: Instant(), timeout_s=60)
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
        """Nothing, at once."""
        del frame
        return Detections.empty()

    def close(self) -> None:
        """Nothing to release."""


def _timed_ms(part: Any) -> float:
    began_s = time.perf_counter()
    part()
    return (time.perf_counter() - began_s) * 1e3


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", nargs="?", type=Path)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        pictures = frames(given.frames)
        side = given.side
        figures = (
            as_the_page_shows(given.module, pictures)
            if side == HUB_PAGE
            else as_we_do(given.module, pictures, side.strip())
        )
        print(json.dumps(figures))
    elif given.module:
        compare(given.module, given.precision, given.rounds, given.frames)
    else:
        many_calls(given.calls)
        own_time()


if __name__ == "__main__":
    main()
