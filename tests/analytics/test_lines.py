"""Crossings of lines, against the exact geometry of the path."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analytics.paths import BOX_PX, SIZE, Run, box_at, rules

LEVEL = {"name": "gate", "points": [[0.1, 0.5], [0.9, 0.5]]}
DOWN = [(320, 20 + 10 * k) for k in range(33)]
JITTER = 0.1
CLEAR = 0.4
"""How far from the line the true path begins and ends, as a share of the box: more than hysteresis and jitter."""

Corner = tuple[float, float]


def turn(a: Corner, b: Corner, c: Corner) -> int:
    """The side of c seen along a to b, computed exactly."""
    (ax, ay), (bx, by), (cx, cy) = ([Fraction(at) for at in point] for point in (a, b, c))
    value = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (value > 0) - (value < 0)


def signed_crossings(path: list[Corner], line: list[Corner]) -> int:
    """The oracle: crossings of a path to the right of a line less those to the left, computed exactly."""
    total = 0
    for p, q in itertools.pairwise(path):
        for a, b in itertools.pairwise(line):
            if turn(a, b, p) * turn(a, b, q) < 0 and turn(p, q, a) * turn(p, q, b) < 0:
                total += turn(a, b, q)
    return total


@pytest.mark.parametrize("step_px", [5, 15, 25, 40, 60, 200])
def test_every_object_is_counted_once_at_every_speed(step_px: int) -> None:
    run = Run(rules(lines=[LEVEL]))
    for frame in range(400 // step_px + 2):
        y_px = [20 + step_px * frame + track * 1.3 for track in range(25)]
        run.show(frame / 25, {track + 1: box_at(80 + 20 * track, y) for track, y in enumerate(y_px)})
    assert sorted(event.track for event in run.events) == list(range(1, 26))
    assert set(run.directions) == {"in"}
    assert (run.watched.lines[0].entered, run.watched.lines[0].left) == (25, 0)


@pytest.mark.parametrize(
    ("points", "path", "direction"),
    [
        ([[0.1, 0.5], [0.9, 0.5]], DOWN, "in"),
        ([[0.1, 0.5], [0.9, 0.5]], DOWN[::-1], "out"),
        ([[0.9, 0.5], [0.1, 0.5]], DOWN, "out"),
        ([[0.5, 0.1], [0.5, 0.9]], [(10 * k, 200) for k in range(60)], "out"),
        ([[0.5, 0.9], [0.5, 0.1]], [(10 * k, 200) for k in range(60)], "in"),
    ],
    ids=["down", "up", "drawn the other way", "to the right over a line downwards", "to the right over a line upwards"],
)
def test_in_is_from_the_left_hand_to_the_right_hand(
    points: list[list[float]], path: list[tuple[float, float]], direction: str
) -> None:
    run = Run(rules(lines=[{"name": "gate", "points": points}]))
    run.walk(path)
    assert run.directions == [direction]


def test_a_crossing_has_the_time_between_two_frames() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.walk([(320, 100), (320, 160), (320, 220), (320, 280)], fps=10)
    (event,) = run.events
    assert event.time_s == pytest.approx(0.1 + 0.1 * 20 / 60)
    assert (event.rule, event.kind, event.track, event.label, event.camera) == (
        "gate", "crossing", 1, "Person", "gate.mp4",
    )  # fmt: skip


def test_a_path_around_the_end_of_a_line_does_not_cross() -> None:
    run = Run(rules(lines=[{"name": "gate", "points": [[0.1, 0.5], [0.4, 0.5]]}]))
    run.walk(DOWN)
    assert run.events == []


def test_a_track_that_comes_back_counts_in_both_directions() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.walk([*DOWN, *DOWN[::-1]])
    assert run.directions == ["in", "out"]


def test_a_track_that_reappears_after_a_gap_goes_on() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.walk([*DOWN[:10], *[None] * 20, *DOWN[28:]])
    assert run.directions == ["in"]


def test_a_new_segment_forgets_the_tracks() -> None:
    run = Run(rules(lines=[LEVEL]))
    run.show(0.0, {1: box_at(320, 100)})
    run.show(0.04, {1: box_at(320, 300)}, segment=1)
    assert run.events == []


def test_a_line_counts_its_classes_only() -> None:
    run = Run(rules(lines=[{**LEVEL, "classes": ["Car"]}]))
    for frame, (x, y) in enumerate(DOWN):
        boxes = {1: box_at(x - 80, y), 2: box_at(x + 80, y)}
        # The second one is a Car that is taken for a Person on every third frame.
        run.show(frame / 25, boxes, labels={1: 0, 2: 0 if frame % 3 == 0 else 1})
    assert [(event.track, event.label) for event in run.events] == [(2, "Car")]


@pytest.mark.parametrize(("anchor", "y_px"), [("bottom", 180), ("centre", 210), ("top", 240)])
def test_the_anchor_decides_when_a_box_crosses(anchor: str, y_px: float) -> None:
    run = Run(rules(lines=[{**LEVEL, "anchor": anchor}]))
    run.walk([(320, float(y)) for y in range(100, 320)], fps=1)
    (event,) = run.events
    assert event.time_s == pytest.approx(y_px - 100, abs=1.01)


def test_a_line_with_a_corner_counts_once_at_the_corner() -> None:
    run = Run(rules(lines=[{"name": "gate", "points": [[0.1, 0.5], [0.5, 0.5], [0.9, 0.5]]}]))
    run.walk([(320.0, 20.0 + 16 * k) for k in range(21)])  # exactly through the middle point, with a stop on it
    assert run.directions == ["in"]


@st.composite
def shaken_paths(draw: st.DrawFn) -> tuple[list[Corner], list[Corner | None], list[int]]:
    """A true path across or along a level line, the same with jitter and misses, and a class for each frame."""
    steps = draw(st.lists(st.tuples(st.floats(-20, 20), st.floats(-60, 60)), min_size=2, max_size=30))
    start = draw(st.sampled_from([100.0, 260.0]))
    path = [(320.0, start)]
    for dx, dy in steps:
        x, y = path[-1]
        path.append((min(max(x + dx, 150.0), 490.0), min(max(y + dy, 40.0), 340.0)))
    clear_px = CLEAR * BOX_PX[1]
    path.append((path[-1][0], 180 + clear_px if path[-1][1] >= 180 else 180 - clear_px))
    # Each visit must be clear: what comes near the line without being clear is not a crossing for sure.
    path = [point for point in path if abs(point[1] - 180) >= clear_px]
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    moves = random.uniform(-JITTER, JITTER, (len(path), 2)) * BOX_PX
    seen: list[Corner | None] = [(x + dx, y + dy) for (x, y), (dx, dy) in zip(path, moves.tolist(), strict=True)]
    return path, seen, random.integers(0, 2, len(path)).tolist()


@settings(max_examples=150, deadline=None)
@given(shaken_paths())
def test_jitter_and_class_flicker_cause_no_miscount(case: tuple[list[Corner], list[Corner | None], list[int]]) -> None:
    path, seen, labels = case
    run = Run(rules(lines=[LEVEL]))
    for frame, (point, label) in enumerate(zip(seen, labels, strict=True)):
        assert point is not None
        run.show(frame / 25, {1: box_at(*point)}, labels={1: label})
    line = [(0.1 * SIZE[0], 0.5 * SIZE[1]), (0.9 * SIZE[0], 0.5 * SIZE[1])]
    expected = [signed_crossings(list(pair), line) for pair in itertools.pairwise(path)]
    assert run.directions == ["in" if one > 0 else "out" for one in expected if one]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(5, 60),
    st.floats(-0.8, 0.8),
    st.lists(st.tuples(st.floats(0.15, 0.85), st.floats(0.35, 0.65)), min_size=2, max_size=4, unique_by=lambda p: p[0]),
)
def test_paths_across_bent_lines_count_exactly(seed: int, step_px: float, slope: float, points: list[Corner]) -> None:
    random = np.random.default_rng(seed)
    # The line goes from one side of the picture to the other, so a path from top to bottom crosses it once more inwards
    # than outwards.
    points = [(0.0, 0.5), *sorted(points), (1.0, 0.5)]
    frames = int(400 / step_px) + 2
    true = [(320 + slope * step_px * k / 3, -20.0 + step_px * k) for k in range(frames)]
    run = Run(rules(lines=[{"name": "gate", "points": points}]))
    for frame, (x, y) in enumerate(true):
        missed = 0 < frame < frames - 1 and random.random() < 0.2
        dx, dy = random.uniform(-JITTER, JITTER, 2) * BOX_PX
        run.show(frame / 25, {} if missed else {1: box_at(x + dx, y + dy)}, labels={1: int(random.integers(2))})
    net = run.watched.lines[0].entered - run.watched.lines[0].left
    assert net == 1
