"""Chips that stay in the picture, do not cover each other, and can be read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.render.canvas import Canvas
from streamer.render.label_boxes import overlap, positions
from streamer.render.labels import LabelAnnotator
from streamer.render.palette import OKABE_ITO, colour_of, relative_luminance, text_colour_on
from streamer.render.text import TextRenderer
from streamer.values.drawable import Tile
from tests.render.scenes import noise, planes_of, scene, tracks
from tracking.types import Tracks


class Recorder(Canvas):
    """A canvas that remembers where chips were pasted."""

    def paste(self, tile: Tile, x: int, y: int) -> None:
        if not hasattr(self, "pasted"):
            self.pasted: list[tuple[int, int, int, int]] = []
        height, width = tile[0].shape[:2]
        self.pasted.append((x, y, x + width, y + height))
        super().paste(tile, x, y)


def chips(width: int, height: int, shown: Tracks, pixel_format: str = "yuv420p") -> list[tuple[int, int, int, int]]:
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
def test_chips_lie_in_the_picture(
    size: tuple[int, int], corners: list[tuple[float, float, float, float]], pixel_format: str
) -> None:
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    for x0, y0, x1, y1 in chips(*size, tracks(boxes), pixel_format):
        assert 0 <= x0 < x1 <= size[0]
        assert 0 <= y0 < y1 <= size[1]


@settings(max_examples=300, deadline=None)
@given(
    corners=st.tuples(*[st.integers(-3000, 6000)] * 4),
    size=st.tuples(st.integers(1, 100), st.integers(1, 30)),
    picture=st.tuples(st.integers(1, 4000), st.integers(1, 2200)),
    grid=st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1), (4, 4)]),
)
def test_every_place_is_in_the_picture_and_on_the_grid(
    corners: tuple[int, int, int, int], size: tuple[int, int], picture: tuple[int, int], grid: tuple[int, int]
) -> None:
    a, b, c, d = corners
    width, height = size[0] * grid[0], size[1] * grid[1]
    found = list(positions((min(a, c), min(b, d), max(a, c), max(b, d)), (width, height), picture, grid))
    assert bool(found) == (width <= picture[0] and height <= picture[1])
    for x, y in found:
        assert 0 <= x <= picture[0] - width
        assert 0 <= y <= picture[1] - height
        assert x % grid[0] == 0
        assert y % grid[1] == 0


def test_a_chip_goes_above_its_box_else_inside_a_large_one_or_below_a_small_one() -> None:
    size, picture, grid = (80, 22), (640, 480), (2, 2)
    assert next(positions((100, 100, 200, 300), size, picture, grid)) == (100, 78)
    assert next(positions((101, 101, 201, 301), size, picture, grid)) == (100, 80)
    assert next(positions((100, 4, 200, 300), size, picture, grid)) == (100, 4)
    assert next(positions((100, 4, 150, 40), size, picture, grid)) == (100, 40)
    assert next(positions((600, 100, 640, 300), size, picture, grid)) == (560, 78)


def test_chips_of_separate_objects_do_not_cover_each_other() -> None:
    rows = [(60 + 5 * index, 80 + 60 * index, 160 + 5 * index, 130 + 60 * index) for index in range(6)]
    found = chips(640, 480, tracks(rows + [(x0 + 12, y0 + 3, x1, y1) for x0, y0, x1, y1 in rows]))
    assert len(found) >= 12
    for index, chip in enumerate(found):
        assert overlap(chip, found[:index]) == 0


def test_crowded_chips_get_shorter() -> None:
    alone = sum(x1 - x0 for x0, _, x1, _ in chips(200, 60, tracks([(10, 30, 60, 50)], ids=[9])))
    crowd = chips(200, 60, tracks([(10, 30, 60, 50)] * 7))
    assert min(x1 - x0 for x0, _, x1, _ in crowd) < alone / 2


def test_no_chip_for_what_is_not_in_the_picture() -> None:
    assert chips(320, 240, tracks([(-50, -50, -1, -1), (320, 10, 400, 90), (5, 5, 5, 90)])) == []
    assert chips(12, 10, tracks([(0, 0, 12, 10)])) == []


def test_a_changing_score_moves_neither_name_nor_id() -> None:
    boxes = [(50, 50, 150, 150)]
    starts = [chips(320, 240, tracks(boxes, scores=[score]))[0] for score in (0.05, 0.52, 0.97, 1.0)]
    assert len(set(starts)) == 1


def test_labels_show_what_was_asked_for() -> None:
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


def test_lettering_remembers_a_bounded_number_of_texts() -> None:
    lettering = TextRenderer(capacity=3)
    kept = lettering.mask("0", 12, 400, 18)
    for number in range(1, 3):
        lettering.mask(str(number), 12, 400, 18)
    assert lettering.mask("0", 12, 400, 18) is kept
    for number in range(10, 13):
        lettering.mask(str(number), 12, 400, 18)
    again = lettering.mask("0", 12, 400, 18)
    assert again is not kept
    assert np.array_equal(again, kept)


def test_text_on_every_track_colour_has_the_contrast_that_wcag_asks_for() -> None:
    for colour in OKABE_ITO:
        light, dark = sorted((relative_luminance(colour), relative_luminance(text_colour_on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, level AA


def test_a_track_keeps_its_colour_and_neighbouring_ids_differ() -> None:
    assert colour_of(8) == colour_of(8 + len(OKABE_ITO))
    assert all(colour_of(number) != colour_of(number + 1) for number in range(1, 50))
