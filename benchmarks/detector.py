"""The hub detector against the code on its TensorFlow Hub page, side by side in one run.

    python -m benchmarks.detector MODULE_DIR [--precision P] [--no-optimize-graph] [--rounds N] [--frames N]
    python -m benchmarks.detector MODULE_DIR --in-turns N

Each side is a separate process, in turns. Measured are the time from the start of the process to the first detections,
seconds per warm frame, peak memory, the post-processing on one core, and whether both sides found the same. The wall
times come with the CPU times, which depend less on what else runs. `--precision` compares another precision with
float32 instead. `--in-turns` runs all sides in one process, frame by frame in turns: on a machine whose speed changes
from minute to minute this is the only fair comparison of warm frames. `benchmarks.suppression` and
`benchmarks.detector_calls` need no module.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from streamer.classes import open_images
from streamer.cli.commands import packaged_clip
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub import loading
from streamer.detectors.tfhub.deviation import FRAMES as DEVIATION_FRAMES
from streamer.detectors.tfhub.outputs import OutputReader
from streamer.detectors.tfhub.signatures import recognise
from streamer.features import DetectorContext
from streamer.models import saved_model
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from tracking.types import Detections

WIDTH, HEIGHT = 1280, 720
HUB_PAGE = "code of the hub's page"


def frames(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[Frame]:
    """Frames of a real clip, scaled."""
    with open_source(str(packaged_clip())) as source:
        taken = list(islice(source, 0, 25 * count, 25))
    return [
        Frame(frame.picture.reformat(width, height), n, n, Fraction(1, 25), float(n)) for n, frame in enumerate(taken)
    ]


def by_the_page(module: Path, pictures: list[Frame], process_began_s: float) -> dict[str, Any]:
    """`hub.load(handle).signatures['default']` with the code of its page around it."""
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
            first_s = (time.time() - process_began_s, time.process_time())
    reader = OutputReader(recognise(saved_model.read_signatures(module), module), open_images.label_table(), 0.0)
    keys = ("boxes", "scores", "class_labels", "class_names", "class_entities")
    found = [reader.read([result[f"detection_{key}"] for key in keys], WIDTH, HEIGHT) for result in results]
    return _figures(found, took_s, first_s)


def by_this_program(
    module: Path, pictures: list[Frame], process_began_s: float, precision: str, *, optimize_graph: bool | None
) -> dict[str, Any]:
    """The detector that a run builds."""
    from streamer.detectors.selection import build_detector

    options = {"precision": precision, "optimize_graph": optimize_graph}
    settings = DetectorSettings.model_validate({"name": str(module), "min_score": 0.0, "device": "cpu", **options})
    with _remembered_postprocessing() as postprocessing:
        (detector,) = build_detector(settings, DetectorContext()).detectors
    found, took_s = [], []
    for frame in pictures:
        began_s = time.perf_counter()
        found.append(detector.detect(frame))
        took_s.append(time.perf_counter() - began_s)
        if len(found) == 1:
            first_s = (time.time() - process_began_s, time.process_time())
    # The first frames of a faster precision are detected in float32 as well.
    figures = _figures(found, took_s if precision == "float32" else took_s[DEVIATION_FRAMES - 1 :], first_s)
    if postprocessing:
        from benchmarks.suppression import on_one_core_ms, realistic

        entering = realistic()
        figures["postprocess_ms"] = on_one_core_ms(lambda: postprocessing[0](*entering), 200)
    return figures


@contextmanager
def _remembered_postprocessing() -> Iterator[list[loading.Postprocessing]]:
    """The post-processing of the models that are built meanwhile."""
    built: list[loading.Postprocessing] = []
    initialize = loading.Postprocessing.__init__

    def remember(self: loading.Postprocessing, *given: Any) -> None:
        initialize(self, *given)
        built.append(self)

    with patch.object(loading.Postprocessing, "__init__", remember):
        yield built


def _figures(found: list[Detections], took_s: list[float], first_s: tuple[float, float]) -> dict[str, Any]:
    return {
        "first_s": first_s[0],
        "first_cpu_s": first_s[1],
        "warm_s": statistics.median(took_s[1:] or took_s),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "detections": [[each.boxes.tolist(), each.scores.tolist(), each.labels.tolist()] for each in found],
    }


def compare(module: Path, precision: str, rounds: int, count: int, *, optimize_graph: bool | None) -> None:
    """Print the ratios of the two sides, run in turns."""
    baseline = HUB_PAGE if precision == "float32" else "float32"
    sides: dict[str, list[dict[str, Any]]] = {baseline: [], precision + " ": []}
    for number in range(rounds):
        for side, runs in sides.items():
            child = [sys.executable, "-m", "benchmarks.detector", str(module), "--frames", str(count)]
            child += [] if optimize_graph is None else [f"--{'' if optimize_graph else 'no-'}optimize-graph"]
            child += ["--side", side, "--began-s", str(time.time())]
            done = subprocess.run(child, check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
            last = {key: round(value, 2) for key, value in runs[-1].items() if key != "detections"}
            print(f"round {number + 1}, {side.strip():24} {last}", flush=True)
    (_, theirs), (_, ours) = sides.items()
    for key, what in (
        ("first_s", "start to first detections"),
        ("first_cpu_s", "the same, CPU time"),
        ("warm_s", "a warm frame"),
        ("peak_gb", "peak memory"),
    ):
        ratios = [one[key] / other[key] for one, other in zip(theirs, ours, strict=True)]
        print(f"{what}: {baseline} / {precision} = {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    _print_difference(theirs[0]["detections"], ours[0]["detections"])


def in_turns(module: Path, count: int) -> None:
    """Warm frames of the reference and of several ways to load the module, in turns."""
    from streamer.detectors.tfhub.hub import HubDetector

    settings = DetectorSettings(device="cpu", min_score=0.0)
    sides = {
        HUB_PAGE: HubDetector(module, settings.model_copy(update={"reference": True})),
        "default": HubDetector(module, settings),
        "not fused": HubDetector(module, settings.model_copy(update={"optimize_graph": False})),
    }
    (picture,) = frames(1)
    for detector in sides.values():
        detector.detect(picture)
    wall_s: dict[str, list[float]] = {side: [] for side in sides}
    cpu_s: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(count):
        for side, detector in sides.items():
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            detector.detect(picture)
            wall_s[side].append(time.perf_counter() - began_s)
            cpu_s[side].append(time.process_time() - began_cpu_s)
    base_s, base_cpu_s = statistics.median(wall_s[HUB_PAGE]), statistics.median(cpu_s[HUB_PAGE])
    for side in sides:
        wall, cpu = statistics.median(wall_s[side]), statistics.median(cpu_s[side])
        ratios = f"{HUB_PAGE} / this: {base_s / wall:.2f}, CPU time {base_cpu_s / cpu:.2f}"
        print(f"{side:24} median {wall:.2f} s, CPU {cpu:.2f} s; {ratios}")


def _print_difference(expected: list[Any], given: list[Any]) -> None:
    for number, ((boxes, scores, labels), (our_boxes, our_scores, our_labels)) in enumerate(
        zip(expected, given, strict=True)
    ):
        if labels != our_labels:
            print(f"frame {number}: labels or their order differ ({len(labels)} and {len(our_labels)} boxes)")
            continue
        size = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
        moved = np.abs(np.reshape(boxes, (-1, 4)) / size - np.reshape(our_boxes, (-1, 4)) / size).max(initial=0)
        changed = np.abs(np.array(scores) - np.array(our_scores)).max(initial=0)
        same = f"{len(labels)} boxes, same labels and order"
        print(f"frame {number}: {same}; boxes within {moved:.1e}, scores within {changed:.1e}")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--optimize-graph", action=argparse.BooleanOptionalAction)
    parser.add_argument("--in-turns", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    # The start of a process that the system reports is rounded to whole seconds on some systems.
    parser.add_argument("--began-s", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.precision != "float32" and given.frames <= DEVIATION_FRAMES:
        parser.error(f"--precision needs more than {DEVIATION_FRAMES} --frames: the first ones run twice")
    if given.side:
        pictures = frames(given.frames)
        side = given.side
        figures = (
            by_the_page(given.module, pictures, given.began_s)
            if side == HUB_PAGE
            else by_this_program(
                given.module, pictures, given.began_s, side.strip(), optimize_graph=given.optimize_graph
            )
        )
        print(json.dumps(figures))
    elif given.in_turns:
        in_turns(given.module, given.in_turns)
    else:
        compare(given.module, given.precision, given.rounds, given.frames, optimize_graph=given.optimize_graph)


if __name__ == "__main__":
    main()
