"""Boxes, trails and the head-up line."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamer.render.boxes import BoxAnnotator, line_thickness_px
from streamer.render.canvas import Canvas
from streamer.render.labels.annotator import LabelAnnotator
from streamer.render.labels.label_boxes import label_box_height
from streamer.render.overlays.hud import HudAnnotator, clock
from streamer.render.overlays.trails import TrailAnnotator
from streamer.render.text import text_size_px
from tests.render.scenes import noise, planes_of, same_pixels, scene, tracks


def test_line_and_text_sizes_follow_the_frame_size() -> None:
    sizes = [(160, 120), (320, 240), (1280, 720), (1920, 1080), (1080, 1920), (3840, 2160)]
    canvases = [Canvas(av.VideoFrame(*size, "gray")) for size in sizes]
    assert [line_thickness_px(canvas) for canvas in canvases] == [1, 1, 2, 3, 3, 5]
    assert [text_size_px(canvas) for canvas in canvases] == [8, 11, 16, 24, 24, 48]
    assert label_box_height(16, (2, 2)) == 22


@settings(max_examples=30, deadline=None)
@given(ids=st.lists(st.integers(1, 10**6), min_size=2, max_size=6, unique=True))
def test_the_order_of_the_tracks_does_not_matter(ids: list[int]) -> None:
    picture = noise(160, 120)
    boxes = [(5.0 * row, 9.0 * row, 60.0 + row, 70.0 + row) for row in range(len(ids))]
    shown = tracks(boxes, ids=ids)
    shuffled = shown.select(np.array(range(len(ids)))[::-1])
    assume(len(set(ids)) == len(ids))
    one, other = Canvas(picture), Canvas(picture)
    for canvas, given_tracks in ((one, shown), (other, shuffled)):
        BoxAnnotator().draw(canvas, scene(picture, given_tracks))
        LabelAnnotator().draw(canvas, scene(picture, given_tracks))
    assert same_pixels(one.picture, other.picture)


def test_a_thickness_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="thickness_px"):
        BoxAnnotator(thickness_px=0)
    with pytest.raises(ValueError, match="text_px"):
        LabelAnnotator(text_px=2)
    with pytest.raises(ValueError, match="length_s"):
        TrailAnnotator(length_s=0)


def trail_columns(annotator: TrailAnnotator, x: float, *, time_s: float, segment: int = 0) -> int:
    """Width in columns of the trail of a track whose left edge is at `x`; 0 if there is none."""
    picture = noise(320, 240)
    canvas = Canvas(picture)
    annotator.draw(canvas, scene(picture, tracks([(x, 50, x + 20, 120)]), time_s=time_s, segment=segment))
    changed = np.nonzero((planes_of(canvas.picture)[0] != planes_of(picture)[0]).any(axis=0))[0]
    return int(changed[-1] - changed[0] + 1) if len(changed) else 0


def walked(length_s: float = 2.0, seconds: float = 1.0) -> TrailAnnotator:
    annotator = TrailAnnotator(length_s=length_s)
    for step in range(int(seconds * 25)):
        trail_columns(annotator, 20 + 200 * step / (seconds * 25), time_s=step / 25)
    return annotator


def test_a_trail_grows_as_a_track_moves() -> None:
    annotator = TrailAnnotator()
    lengths = [trail_columns(annotator, 20 + 8 * step, time_s=step / 25) for step in range(20)]
    assert lengths[0] == 0
    assert lengths[-1] > lengths[10] > lengths[3] > 0


def test_a_trail_drops_positions_older_than_its_length() -> None:
    short, long = walked(length_s=0.2), walked(length_s=2.0)
    assert trail_columns(short, 220, time_s=1.0) < trail_columns(long, 220, time_s=1.0) / 3


@pytest.mark.parametrize(("time_s", "segment"), [(1.0, 1), (0.2, 0), (9.0, 0)], ids=["segment", "backwards", "pause"])
def test_a_trail_restarts(time_s: float, segment: int) -> None:
    assert trail_columns(walked(), 220, time_s=1.0) > 0
    assert trail_columns(walked(), 220, time_s=time_s, segment=segment) == 0


def test_trails_keep_a_bounded_number_of_positions() -> None:
    annotator = TrailAnnotator(length_s=1.0)
    picture = noise(16, 16)
    for step in range(3000):
        shown = tracks([(step % 9, 1, 10, 10)], ids=[1 + step // 3])
        annotator.draw(Canvas(picture), scene(picture, shown, time_s=step / 1000))
    positions = [len(path) for path in annotator._paths.values()]
    assert len(positions) <= 1000 / 3 + 2
    assert max(positions) <= 40


@pytest.mark.parametrize("rate", [5, 24, 60, 240])
def test_a_trail_has_the_same_length_at_any_frame_rate(rate: int) -> None:
    annotator = TrailAnnotator(length_s=0.5)
    for step in range(rate):
        reached = trail_columns(annotator, 20 + 200 * step / rate, time_s=step / rate)
    # 0.5 s at 200 px/s, to the nearest frame; the line's round ends are longer and its faded end is invisible.
    assert abs(reached - 100) <= 200 / rate + 10


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00.0"), (12.34, "0:12.3"), (59.99, "0:59.9"), (60, "1:00.0"), (3723.4, "1:02:03.4"), (-1.5, "-0:01.5")],
)
def test_the_clock_format(time_s: float, text: str) -> None:
    assert clock(time_s) == text


@given(st.integers(0, 10**7))
def test_the_clock_never_shows_sixty(tenths: int) -> None:
    *_, minutes, seconds = clock(tenths / 10).split(":")
    assert float(seconds) < 60
    assert int(minutes) < 60


@pytest.mark.parametrize("corner", ["top left", "top right", "bottom left", "bottom right"])
def test_the_head_up_line_is_in_its_corner(corner: str) -> None:
    picture = noise(323, 241)
    canvas = Canvas(picture)
    HudAnnotator(corner=corner).draw(canvas, scene(picture, tracks([])))  # type: ignore[arg-type]
    rows, columns = np.nonzero(planes_of(canvas.picture)[0] != planes_of(picture)[0])
    assert (rows.min() == 0) == corner.startswith("top")
    assert (rows.max() == 240) == corner.startswith("bottom")
    assert (columns.min() == 0) == corner.endswith("left")
    assert (columns.max() == 322) == corner.endswith("right")
    assert rows.max() - rows.min() < 30


def test_the_head_up_line_changes_with_time_speed_and_counts() -> None:
    picture, shown = noise(640, 360), tracks([(0, 0, 9, 9)])
    lines = []
    for shot in (
        scene(picture, shown, time_s=1),
        scene(picture, shown, time_s=2),
        scene(picture, shown, time_s=1, fps=9.0),
        scene(picture, shown, time_s=1, fps=0.0),
        scene(picture, tracks([(0, 0, 9, 9)] * 2), time_s=1),
    ):
        canvas = Canvas(picture)
        HudAnnotator().draw(canvas, shot)
        lines.append(canvas.picture)
    for index, line in enumerate(lines):
        assert not any(same_pixels(line, other) for other in lines[:index])
