"""Label boxes lie in the frame, do not overlap and are readable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.render.canvas import Canvas
from streamer.render.labels.annotator import LabelAnnotator
from streamer.render.labels.positions import Ground, overlap, positions
from streamer.render.text import TextRenderer
from streamer.values.drawable import Tile
from tests.render.scenes import noise, planes_of, scene, tracks
from tracking.types import Tracks


class Recorder(Canvas):
    """A canvas that records where label boxes were pasted."""

    def paste(self, tile: Tile, x: int, y: int) -> None:
        if not hasattr(self, "pasted"):
            self.pasted: list[tuple[int, int, int, int]] = []
        height, width = tile[0].shape[:2]
        self.pasted.append((x, y, x + width, y + height))
        super().paste(tile, x, y)


def label_boxes(
    width: int, height: int, shown: Tracks, pixel_format: str = "yuv420p"
) -> list[tuple[int, int, int, int]]:
    picture = noise(width, height, pixel_format)
    canvas = Recorder(picture)
    LabelAnnotator().draw(canvas, scene(picture, shown))
    return getattr(canvas, "pasted", [])


@settings(max_examples=100, deadline=None)
@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 300)),
    corners=st.lists(st.tuples(*[st.floats(-500, 900)] * 4), max_size=5),
    pixel_format=st.sampled_from(["yuv420p", "nv12", "yuv411p", "yuv422p10le", "bgr24"]),
)
def test_label_boxes_lie_in_the_frame(
    size: tuple[int, int], corners: list[tuple[float, float, float, float]], pixel_format: str
) -> None:
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    for x0, y0, x1, y1 in label_boxes(*size, tracks(boxes), pixel_format):
        assert 0 <= x0 < x1 <= size[0]
        assert 0 <= y0 < y1 <= size[1]


@settings(max_examples=300, deadline=None)
@given(
    corners=st.tuples(*[st.integers(-3000, 6000)] * 4),
    size=st.tuples(st.integers(1, 100), st.integers(1, 30)),
    picture=st.tuples(st.integers(1, 4000), st.integers(1, 2200)),
    grid=st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1), (4, 4)]),
)
def test_every_position_is_in_the_frame_and_on_the_grid(
    corners: tuple[int, int, int, int], size: tuple[int, int], picture: tuple[int, int], grid: tuple[int, int]
) -> None:
    a, b, c, d = corners
    width, height = size[0] * grid[0], size[1] * grid[1]
    box = min(a, c), min(b, d), max(a, c), max(b, d)
    found = list(positions(box, (width, height), Ground(picture, grid)))
    assert bool(found) == (width <= picture[0] and height <= picture[1])
    for _, x, y in found:
        assert 0 <= x <= picture[0] - width
        assert 0 <= y <= picture[1] - height
        assert x % grid[0] == 0
        assert y % grid[1] == 0


def test_label_boxes_are_above_inside_or_below_their_box() -> None:
    size, ground = (80, 22), Ground((640, 480), (2, 2))
    assert next(positions((100, 100, 200, 300), size, ground)) == ("above", 100, 78)
    assert next(positions((101, 101, 201, 301), size, ground)) == ("above", 100, 80)
    assert next(positions((100, 4, 200, 300), size, ground)) == ("inside top", 100, 4)
    assert next(positions((100, 4, 150, 40), size, ground)) == ("below", 100, 40)
    assert next(positions((600, 100, 640, 300), size, ground)) == ("above", 560, 78)


def test_label_boxes_of_separate_objects_do_not_overlap() -> None:
    rows = [(60 + 5 * index, 80 + 60 * index, 160 + 5 * index, 130 + 60 * index) for index in range(6)]
    found = label_boxes(640, 480, tracks(rows + [(x0 + 12, y0 + 3, x1, y1) for x0, y0, x1, y1 in rows]))
    assert len(found) >= 12
    for index, label_box in enumerate(found):
        assert overlap(label_box, found[:index]) == 0


def test_crowded_labels_are_shortened() -> None:
    alone = sum(x1 - x0 for x0, _, x1, _ in label_boxes(200, 60, tracks([(10, 30, 60, 50)], ids=[9])))
    crowd = label_boxes(200, 60, tracks([(10, 30, 60, 50)] * 7))
    assert min(x1 - x0 for x0, _, x1, _ in crowd) < alone / 2


def test_tracks_outside_the_frame_have_no_label() -> None:
    assert label_boxes(320, 240, tracks([(-50, -50, -1, -1), (320, 10, 400, 90), (5, 5, 5, 90)])) == []
    assert label_boxes(12, 10, tracks([(0, 0, 12, 10)])) == []


def test_labels_show_score_and_id_as_requested() -> None:
    shown, pictures = tracks([(60, 60, 160, 160)]), []
    for show_score, show_id in ((True, True), (True, False), (False, True), (False, False)):
        picture = noise(320, 240)
        canvas = Canvas(picture)
        LabelAnnotator(show_score=show_score, show_id=show_id).draw(canvas, scene(picture, shown))
        pictures.append((planes_of(canvas.picture)[0] != planes_of(picture)[0]).sum())
    assert pictures[0] > pictures[1] > pictures[3] > 0
    assert pictures[0] > pictures[2] > pictures[3]


@pytest.mark.parametrize("name", ["", " ", "日本語", "Ünïcödé", "line\nbreak", "x" * 500, "\x00", "🙂"])
def test_any_class_name_can_be_drawn(name: str) -> None:
    mask = TextRenderer().mask(name, 16, 600, 22)
    assert mask.shape[0] == 22
    assert mask.any() == bool(name.strip(" \x00"))


def test_the_text_renderer_caches_a_bounded_number_of_texts() -> None:
    renderer = TextRenderer(capacity=3)
    kept = renderer.mask("0", 12, 400, 18)
    for number in range(1, 3):
        renderer.mask(str(number), 12, 400, 18)
    assert renderer.mask("0", 12, 400, 18) is kept
    for number in range(10, 13):
        renderer.mask(str(number), 12, 400, 18)
    again = renderer.mask("0", 12, 400, 18)
    assert again is not kept
    assert np.array_equal(again, kept)
