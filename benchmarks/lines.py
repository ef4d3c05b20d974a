"""Counts of lines at several speeds, beside a counter that looks at one frame at a time, and the cost of rules.

    python -m benchmarks.lines [--frames N] [--walks N]

25 objects of 40x60 px go down through a line at 5, 15, 25, 40 and 60 px a frame; each has its own start, so they are at
different distances from the line on the frames beside it. The simple counter counts a track whose centre is within 15
px of the line for the first time, as examples for several tracking programs do. If the package `supervision` is
installed, its `LineZone` gets the same boxes and ids, once with its own settings (four corners must cross) and once
with the bottom centre alone.

Then generated walks across lines with corners, with jitter of up to 10% of the box in each coordinate, up to half of
the frames missed, and up to 45% of the frames with a wrong class: how many are counted otherwise than shapely counts
the true path (`tests/analytics/oracle.py`). The same walks on every machine.

Then 20 tracks, 4 lines and 4 zones: the time per frame, also with filters, limits, counts and presence.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

import av
import numpy as np
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from benchmarks.clips import machine
from streamer.analytics.rules import Rules
from streamer.config.analytics import AnalyticsSettings
from streamer.interfaces import Scene
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tests.analytics.oracle import Walk, walks
from tracking.types import FloatArray, Tracks

SIZE, BOX_PX = (1280, 720), (40, 60)
SPEEDS_PX, OBJECTS = (5, 15, 25, 40, 60), 25
LINE = {"name": "gate", "points": [[0.0, 0.5], [1.0, 0.5]]}
NEAR_PX = 15
LABELS = LabelTable(("Person",))
PICTURE = av.VideoFrame(*SIZE, "yuv420p")


def boxes_at(speed_px: int) -> Iterator[FloatArray]:
    """The boxes of all objects, frame by frame, `(OBJECTS, 4)`."""
    left = np.linspace(20, SIZE[0] - 60, OBJECTS)
    start = np.linspace(0, speed_px, OBJECTS, endpoint=False)
    for frame in range(SIZE[1] // speed_px):
        top = start + speed_px * frame
        yield np.stack((left, top, left + BOX_PX[0], top + BOX_PX[1]), axis=1).astype(np.float32)


def scene_of(boxes: FloatArray, index: int) -> Scene:
    count = len(boxes)
    tracks = Tracks(
        ids=np.arange(1, count + 1),
        boxes=boxes,
        scores=np.ones(count, np.float32),
        labels=np.zeros(count, np.int32),
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.ones(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        origin=np.zeros(count, np.uint8),
        confirmed=np.ones(count, np.bool_),
    )
    return Scene(Frame(PICTURE, index, index, Fraction(1, 25), 0.0), tracks, LABELS, FrameState.DETECTED)


def streamer_count(speed_px: int) -> int:
    rules = Rules(AnalyticsSettings.model_validate({"lines": [LINE]}), "made")
    shown = [rules(scene_of(boxes, index)) for index, boxes in enumerate(boxes_at(speed_px))]
    return shown[-1].watched.lines[0].entered


def simple_count(speed_px: int) -> int:
    """Tracks whose centre was within `NEAR_PX` of the line on any frame."""
    counted: set[int] = set()
    for boxes in boxes_at(speed_px):
        away_px = np.abs((boxes[:, 1] + boxes[:, 3]) / 2 - SIZE[1] / 2)
        counted.update(np.flatnonzero(away_px < NEAR_PX).tolist())
    return len(counted)


def supervision_count(speed_px: int, *, bottom_only: bool) -> int:
    import supervision as sv

    start, end = sv.Point(0, SIZE[1] // 2), sv.Point(SIZE[0], SIZE[1] // 2)
    bottom = [sv.Position.BOTTOM_CENTER]
    zone = sv.LineZone(start, end, triggering_anchors=bottom) if bottom_only else sv.LineZone(start, end)
    for boxes in boxes_at(speed_px):
        ids = np.arange(1, OBJECTS + 1)
        zone.trigger(sv.Detections(xyxy=boxes, class_id=np.zeros(OBJECTS, int), tracker_id=ids))
    return int(zone.in_count + zone.out_count)


def miscounts(number: int) -> tuple[int, int, int]:
    """Walks, true crossings on them, and walks that are not counted exactly."""
    counted: list[tuple[int, bool]] = []

    @hypothesis_settings(
        max_examples=number,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(walks())
    def count(walk: Walk) -> None:
        counted.append((len(walk.directions), walk.counted() == walk.directions))

    count()
    return len(counted), sum(crossings for crossings, _ in counted), sum(not exact for _, exact in counted)


EVERYTHING: dict[str, object] = {"classes": ["Person"], "min_score": 0.3, "min_age_s": 0.1}
LIMITS: dict[str, object] = {"max_inside": 3, "min_inside": 1, "dwell_s": 5}
OTHERS: dict[str, object] = {
    "counts": [{"name": "crowd", "max_count": 12, "min_count": 2, **EVERYTHING}],
    "presence": [{"name": "anybody", **EVERYTHING}],
}


def cost_ms(frames: int, *, everything: bool) -> tuple[float, float]:
    """Median and 95th percentile of the time per frame with 20 tracks that wander, 4 lines and 4 zones.

    Args:
        frames: how many.
        everything: also with classes, scores, ages, limits, counts and presence.
    """
    lines = [
        {"name": f"line {n}", "points": [[0.1, y], [0.5, y + 0.05], [0.9, y]]}
        for n, y in enumerate((0.2, 0.4, 0.6, 0.8))
    ]
    corners = [[0.1, 0.1], [0.4, 0.05], [0.45, 0.4], [0.25, 0.5], [0.05, 0.4]]
    moves = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.45), (0.5, 0.45)]
    zones = [
        {"name": f"zone {n}", "points": [[x + dx, y + dy] for x, y in corners]} for n, (dx, dy) in enumerate(moves)
    ]
    settings: dict[str, object] = {"lines": lines, "zones": zones}
    if everything:
        settings = {
            "lines": [{**line, **EVERYTHING} for line in lines],
            "zones": [{**zone, **EVERYTHING, **LIMITS} for zone in zones],
            **OTHERS,
        }
    rules = Rules(AnalyticsSettings.model_validate(settings), "made")
    random = np.random.default_rng(1)
    centre, speed = random.uniform(100, 600, (20, 2)), random.uniform(-8, 8, (20, 2))
    times = []
    for index in range(frames):
        speed = np.where((centre < 50) | (centre > (SIZE[0] - 50, SIZE[1] - 50)), -speed, speed)
        centre = centre + speed
        scene = scene_of(np.hstack((centre - 30, centre + 30)).astype(np.float32), index)
        started_s = time.perf_counter()
        rules(scene)
        times.append((time.perf_counter() - started_s) * 1e3)
    return statistics.median(times), float(np.percentile(times, 95))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000, help="for the cost")
    parser.add_argument("--walks", type=int, default=10_000, help="generated walks")
    options = parser.parse_args()
    print(machine())
    print(f"{OBJECTS} objects at {', '.join(map(str, SPEEDS_PX))} px a frame")
    rows: dict[str, Callable[[int], int]] = {"streamer": streamer_count, f"centre within {NEAR_PX} px": simple_count}
    if importlib.util.find_spec("supervision"):
        rows["supervision LineZone"] = partial(supervision_count, bottom_only=False)
        rows["supervision, bottom centre"] = partial(supervision_count, bottom_only=True)
    for name, count in rows.items():
        print(f"{name:28}" + "".join(f"{count(speed):4d}" for speed in SPEEDS_PX))
    number, crossings, wrong = miscounts(options.walks)
    print(f"{number} walks with {crossings} crossings, jitter, misses and flicker: {wrong} miscounted")
    for everything in (False, True):
        p50, p95 = cost_ms(options.frames, everything=everything)
        what = " with filters and limits, counts, presence" if everything else ""
        print(f"20 tracks, 4 lines, 4 zones{what}: {p50:.3f} ms a frame, p95 {p95:.3f} ms")


if __name__ == "__main__":
    main()
