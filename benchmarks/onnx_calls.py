"""The project's own time around ONNX Runtime's call, for each family.

    python -m benchmarks.onnx_calls [--calls N]

The models return made arrays of the size of the real ones, with 12 objects: 5 boxes on each for the families that
leave duplicates. The CPU time of `Session.run` is subtracted from that of `detect`. Frames are 1920x1080, yuv420p.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.clips import machine
from benchmarks.detector import frames
from streamer.config.detector import DetectorSettings
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.detectors.onnx.session import Array, Session
from streamer.values.frame import Frame
from tests.detectors.onnx import graphs

CLASSES, OBJECTS, COPIES = 80, 12, 5
SIZE = (640, 640)
GOAL_MS = 1.5


class TimedSession(Session):
    """A session that adds up the CPU time of its calls, s; with one thread they run in the thread of the caller."""

    spent_s = 0.0

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """See `Session.run`."""
        began_s = time.thread_time()
        arrays = super().run(outputs, inputs)
        self.spent_s += time.thread_time() - began_s
        return arrays


def objects(copies: int) -> tuple[Array, Array]:
    """Boxes x0, y0, x1, y1 of an input of 640x640 and scores for each class; every object has some copies."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 500, (OBJECTS, 2))
    boxes = np.repeat(
        np.concatenate([corners, corners + random.uniform(60, 120, corners.shape)], axis=1), copies, axis=0
    )
    boxes += random.normal(0, 2, boxes.shape)
    scores = random.uniform(0.001, 0.05, (len(boxes), CLASSES))
    scores[np.arange(len(boxes)), np.repeat(np.arange(OBJECTS), copies)] = random.uniform(0.35, 0.95, len(boxes))
    return boxes, scores


def write_yolov8(path: Path) -> Path:
    return graphs.constant(path, {"output0": graphs.yolov8(*objects(COPIES), SIZE)}, size=SIZE)


def write_yolox(path: Path) -> Path:
    boxes, scores = objects(COPIES)
    cells = [(8, number % 80, number // 80) for number in range(len(boxes))]
    return graphs.constant(path, {"output": graphs.yolox(cells, boxes, scores, SIZE)}, size=SIZE)


def write_end_to_end(path: Path) -> Path:
    boxes, scores = objects(1)
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :OBJECTS, :4], rows[0, :OBJECTS, 4] = boxes, scores.max(axis=1)
    return graphs.constant(path, {"output0": rows}, size=SIZE)


def write_detr(path: Path) -> Path:
    boxes, logits = graphs.detr(*objects(1), SIZE, queries=300)
    return graphs.constant(path, {"dets": boxes, "labels": logits}, size=SIZE)


MODELS: Mapping[str, Callable[[Path], Path]] = {
    "yolov8": write_yolov8,
    "yolox": write_yolox,
    "end_to_end": write_end_to_end,
    "detr": write_detr,
}


def scaling(frame: Frame, detector: OnnxDetector) -> str:
    """Median and least time of the conversion to the size of the input: the decoder's planes to RGB."""
    placed = detector._adapter._input.fill(frame)
    took_ms = []
    for _ in range(100):
        began_s = time.thread_time()
        frame.rgb_planes((placed.width, placed.height))
        took_ms.append((time.thread_time() - began_s) * 1e3)
    return shown(took_ms)


def shown(took_ms: list[float]) -> str:
    """Median and least."""
    return f"{statistics.median(took_ms):.2f} ms (least {min(took_ms):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    calls = parser.parse_args().calls
    print(machine())
    (frame,) = frames(1, 1920, 1080)
    with tempfile.TemporaryDirectory() as folder:
        for name, write in MODELS.items():
            settings = DetectorSettings(name=str(write(Path(folder) / f"{name}.onnx")), label_map="coco")
            session = TimedSession(Path(settings.name), settings)
            detector = OnnxDetector(settings)
            detector._session = session
            found = detector.detect(frame)
            own_ms = []
            for _ in range(calls):
                began_s, session.spent_s = time.thread_time(), 0.0
                detector.detect(frame)
                own_ms.append((time.thread_time() - began_s - session.spent_s) * 1e3)
            alone = scaling(frame, detector)
            print(f"{name}: {len(found)} boxes, {shown(own_ms)}, goal {GOAL_MS} ms; scaling alone {alone}")


if __name__ == "__main__":
    main()
