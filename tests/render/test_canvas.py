"""Positions and values of the drawing primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from streamer.render.canvas import Canvas
from tests.render.scenes import noise, planes_of, raw_planes, same_pixels, steps_of, tagged

RED, BLUE, WHITE, BLACK = (220, 30, 20), (0, 114, 178), (255, 255, 255), (0, 0, 0)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv422p10le", "p010le", "rgba", "gbrp"])
def test_an_outline_at_the_border_equals_a_clipped_one(pixel_format: str) -> None:
    """The fast way without clipping draws the same as the way bar by bar."""
    large, small = noise(120, 120, pixel_format), av.VideoFrame(40, 40, pixel_format)
    for index, (part, whole) in enumerate(zip(raw_planes(small), raw_planes(large), strict=True)):
        sx, sy = steps_of(large, index)
        part[...] = whole[40 // sy : 80 // sy, 40 // sx : 80 // sx]
    small = tagged(small)
    for x, y in ((-6, -6), (15, 17), (32, 35)):
        one, other = Canvas(large), Canvas(small)
        one.outline((40 + x, 40 + y, 60 + x, 59 + y), RED, 3)
        other.outline((x, y, x + 20, y + 19), RED, 3)
        for index, (part, whole) in enumerate(zip(planes_of(other.picture), planes_of(one.picture), strict=True)):
            sx, sy = steps_of(large, index)
            assert np.array_equal(part, whole[40 // sy : 80 // sy, 40 // sx : 80 // sx])


def drawn_luma(draw: Callable[[Canvas], None], pixel_format: str = "gray") -> npt.NDArray[Any]:
    picture = av.VideoFrame(32, 32, pixel_format)
    for plane in picture.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    canvas = Canvas(tagged(picture, full_range=True))
    draw(canvas)
    return planes_of(canvas.picture)[0]


def test_fractions_are_rounded_to_the_nearest_edge() -> None:
    for box, columns in (
        ((3.4, 0, 9.4, 32), range(3, 9)),
        ((3.5, 0, 9.5, 32), range(4, 10)),
        ((3.6, 0, 9.6, 32), range(4, 10)),
    ):
        luma = drawn_luma(lambda canvas, box=box: canvas.fill(box, WHITE))  # type: ignore[misc]
        assert np.nonzero((luma == 255).all(axis=0))[0].tolist() == list(columns)


def test_an_outline_has_its_line_inside_the_box() -> None:
    luma = drawn_luma(lambda canvas: canvas.outline((6, 5, 26, 27), WHITE, 2))
    row = luma[16].tolist()
    assert row[4] == 128
    assert row[5] < 40
    assert row[6:8] == [255, 255]
    assert row[8] < 40
    assert row[9] == 128
    assert row[23] < 40
    assert row[24:26] == [255, 255]
    assert row[26] < 40
    assert (luma[5:7, 6:26] == 255).all()
    assert (luma[25:27, 6:26] == 255).all()


def test_a_dashed_outline_has_gaps_between_solid_corners() -> None:
    luma = drawn_luma(lambda canvas: canvas.outline((0, 0, 32, 32), WHITE, 1, dashed=True))
    for side in (luma[0], luma[-1], luma[:, 0], luma[:, -1]):
        assert (side[:8] == 255).all()
        assert (side[-8:] == 255).all()
        assert (side < 40).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 9), (9, 1), (3, 5)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv411p", "yuv410p", "nv12", "rgb24", "gray", "yuv420p10le"])
def test_frames_of_a_few_pixels_can_be_drawn_on(size: tuple[int, int], pixel_format: str) -> None:
    canvas = Canvas(noise(*size, pixel_format))
    canvas.outline((0, 0, *size), RED, 3)
    canvas.outline((0, 0, *size), RED, 3, dashed=True)
    canvas.polyline(np.array([(0.0, 0.0), (5.0, 5.0)]), RED, 2)
    canvas.blend_mask(np.full((7, 7), 200, np.uint8), -2, -2, RED)
    canvas.paste(canvas.tile(np.full((8, 8), 90, np.uint8), RED, BLUE), -4, -4)
    canvas.fill((0, 0, *size), WHITE)
    everything = planes_of(canvas.picture)
    assert all((samples == samples.flat[0]).all() for samples in everything if samples.ndim == 2)


def test_coordinates_far_outside_are_clipped() -> None:
    canvas = Canvas(noise(64, 48))
    for far in (1e6, 1e12, 1e30):
        canvas.outline((-far, -far, far, 20), RED, 3, dashed=True)
        canvas.outline((10, 10, far, far), RED, 3)
        canvas.fill((-far, 40, far, far), RED)
        canvas.polyline(np.array([(-far, 5.0), (far, 5.0)]), WHITE, 1)
    luma, red = planes_of(canvas.picture)[0], planes_of(canvas.picture)[0][47, 0]
    assert (luma[10:40, 10:13] == red).all()
    assert (luma[40:] == red).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 5, 9, 5), (5, 5, 5.2, 5.3), (90, 5, 99, 9), (-9, -9, -1, -1)])
def test_empty_boxes_and_boxes_outside_draw_nothing(box: tuple[float, float, float, float]) -> None:
    picture = noise(64, 48)
    canvas = Canvas(picture)
    canvas.outline(box, RED, 2, casing_px=0)
    canvas.outline(box, RED, 2, casing_px=0, dashed=True)
    canvas.fill(box, RED)
    assert same_pixels(canvas.picture, picture)


def test_half_opacity_is_the_mean() -> None:
    luma = drawn_luma(lambda canvas: canvas.fill((0, 0, 32, 32), WHITE, 0.5))
    assert set(luma.ravel().tolist()) == {192}
    mask = np.full((32, 32), 255, np.uint8)
    luma = drawn_luma(lambda canvas: canvas.blend_mask(mask, 0, 0, BLACK, 0.25))
    assert set(luma.ravel().tolist()) == {96}


def test_a_tile_is_pasted_whole_or_clipped() -> None:
    canvas = Canvas(noise(33, 21))
    mask = np.random.default_rng(1).integers(0, 256, (12, 16), np.uint8)
    tile = canvas.tile(mask, WHITE, BLUE)
    for x, y in ((4, 6), (-6, -4), (28, 16), (32, 20)):
        fresh = Canvas(noise(33, 21))
        fresh.paste(tile, x, y)
        luma = planes_of(fresh.picture)[0]
        rows, columns = slice(max(y, 0), min(y + 12, 21)), slice(max(x, 0), min(x + 16, 33))
        cut = tile[0][rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
        assert np.array_equal(luma[rows, columns], cut)
        touched = np.zeros((21, 33), np.bool_)
        touched[rows, columns] = True
        assert np.array_equal(luma[~touched], planes_of(noise(33, 21))[0][~touched])
