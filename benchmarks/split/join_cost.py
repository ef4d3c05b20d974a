"""What the join costs for each frame besides decoding, tracking, drawing and encoding: the digest and the lookup."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from streamer.config.loading import load_settings
from streamer.detectors import selection
from streamer.features import DetectorContext
from streamer.parts.digests import picture_digest
from streamer.parts.folder import FolderSupply
from streamer.parts.joining import JoinedDetectors
from streamer.parts.matching import SameWorkers
from streamer.parts.part_file import part_name, read_part, write_part
from streamer.parts.part_source import PartSource
from streamer.parts.planning import make_plan
from streamer.parts.values import FrameDetections, PartDetections, Worker
from tracking.types import Detections

T = TypeVar("T")
R = TypeVar("R")

BOXES = 100
"""The most that the detector of record finds on a frame."""
_WORKER = Worker("", {}, "", "float32", "")


def join_cost(clip: Path) -> str:
    """One line with the medians, measured on the frames of a clip with 100 boxes each."""
    settings = load_settings(None, ["detector.name=nanodet"])
    plan = make_plan(clip, settings, 1)
    boxes = np.tile(np.array([10, 10, 50, 50], np.float32), (BOXES, 1))
    found = Detections(boxes, np.full(BOXES, 0.5, np.float32), np.zeros(BOXES, np.int32))
    with PartSource(plan, plan.parts[0]) as source:
        frames = list(source)
    digests, digest_ms = _timed(picture_digest, frames)
    detected = {
        frame.pts: FrameDetections(frame.pts, digest, found) for frame, digest in zip(frames, digests, strict=True)
    }
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / part_name(0)
        labels = selection.labels_of(settings.detector)
        write_part(PartDetections(plan.digest, 0, _WORKER, labels, detected), file)
        _, read_ms = _timed(read_part, [file] * 5)
        workers = SameWorkers()
        joined = JoinedDetectors(plan, FolderSupply(file.parent, plan, workers), workers)
        _, detect_ms = _timed(joined.build(plan.detector, DetectorContext()).detectors[0].detect, frames)
    return (
        f"the join's own cost of a frame of {frames[0].width}x{frames[0].height} with {BOXES} boxes, medians of "
        f"{len(frames)} frames: digest {digest_ms:.2f} ms, digest and lookup {detect_ms:.2f} ms; reading the part "
        f"{read_ms / len(frames):.3f} ms"
    )


def _timed(work: Callable[[T], R], arguments: Sequence[T]) -> tuple[list[R], float]:
    """The results, and the median of the durations in milliseconds."""
    results, durations_ms = [], []
    for argument in arguments:
        began_s = time.perf_counter()
        results.append(work(argument))
        durations_ms.append((time.perf_counter() - began_s) * 1e3)
    return results, statistics.median(durations_ms)
