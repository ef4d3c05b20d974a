"""Untouched samples stay bit-identical: every primitive, every format, any box."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.render.canvas import Canvas
from tests.render.scenes import DRAWABLE, noise, planes_of, same_pixels, steps_of

WIDTH, HEIGHT = 45, 37


RED, BLUE, WHITE = (220, 30, 20), (0, 114, 178), (255, 255, 255)


coordinates = st.one_of(st.integers(-20, 60), st.floats(-1e4, 1e4, allow_nan=False))


boxes = st.tuples(coordinates, coordinates, coordinates, coordinates).map(
    lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
)


Touched = npt.NDArray[np.bool_]


def edge(value: float) -> int:
    return int(np.floor(value + 0.5))


def pixels_in(box: tuple[float, float, float, float], grown: int = 0) -> Touched:
    """Pixels that a box covers after its edges are rounded and moved outwards; none if it is empty."""
    x0, y0, x1, y1 = (edge(value) for value in box)
    inside = np.zeros((HEIGHT, WIDTH), np.bool_)
    if x0 < x1 and y0 < y1:
        inside[max(y0 - grown, 0) : max(y1 + grown, 0), max(x0 - grown, 0) : max(x1 + grown, 0)] = True
    return inside


def assert_untouched_elsewhere(before: av.VideoFrame, after: av.VideoFrame, touched: Touched) -> None:
    """Check that every changed sample stands for a touched pixel."""
    for index, (old, new) in enumerate(zip(planes_of(before), planes_of(after), strict=True)):
        sx, sy = steps_of(before, index)
        padded = np.zeros((-(-HEIGHT // sy) * sy, -(-WIDTH // sx) * sx), np.bool_)
        padded[:HEIGHT, :WIDTH] = touched
        allowed = padded.reshape(len(padded) // sy, sy, -1, sx).any(axis=(1, 3))
        assert np.array_equal(old[~allowed], new[~allowed]), f"plane {index}"


@settings(max_examples=300, deadline=None)
@given(
    pixel_format=st.sampled_from(DRAWABLE),
    box=boxes,
    thickness=st.integers(1, 6),
    casing=st.integers(0, 2),
    dashed=st.booleans(),
)
@example(pixel_format="yuv410p", box=(0, 0, 9, 38), thickness=1, casing=0, dashed=True)
def test_an_outline_touches_only_its_band(
    pixel_format: str, box: tuple[float, float, float, float], thickness: int, casing: int, dashed: bool
) -> None:
    picture = noise(WIDTH, HEIGHT, pixel_format)
    canvas = Canvas(picture)
    canvas.outline(box, RED, thickness, casing_px=casing, dashed=dashed)
    band = pixels_in(box, casing)
    x0, y0, x1, y1 = box
    deep = thickness + casing
    hollow = (edge(x0) + deep, edge(y0) + deep, edge(x1) - deep, edge(y1) - deep)
    assert_untouched_elsewhere(picture, canvas.picture, band & ~pixels_in(hollow))


@settings(max_examples=200, deadline=None)
@given(pixel_format=st.sampled_from(DRAWABLE), box=boxes, alpha=st.floats(0, 1))
def test_a_fill_touches_only_its_rectangle(
    pixel_format: str, box: tuple[float, float, float, float], alpha: float
) -> None:
    picture = noise(WIDTH, HEIGHT, pixel_format)
    canvas = Canvas(picture)
    canvas.fill(box, BLUE, alpha)
    assert_untouched_elsewhere(picture, canvas.picture, pixels_in(box))


@settings(max_examples=200, deadline=None)
@given(
    pixel_format=st.sampled_from(DRAWABLE),
    x=st.integers(-30, 60),
    y=st.integers(-30, 60),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 99),
)
def test_a_mask_touches_only_covered_samples(
    pixel_format: str, x: int, y: int, size: tuple[int, int], seed: int
) -> None:
    mask = np.random.default_rng(seed).choice(np.array([0, 0, 128, 255], np.uint8), size)
    picture = noise(WIDTH, HEIGHT, pixel_format)
    canvas = Canvas(picture)
    canvas.blend_mask(mask, x, y, WHITE)
    touched = np.zeros((HEIGHT + 60, WIDTH + 60), np.bool_)
    touched[y + 30 : y + 30 + size[0], x + 30 : x + 30 + size[1]] = (mask > 0)[: HEIGHT + 30 - y, : WIDTH + 30 - x]
    assert_untouched_elsewhere(picture, canvas.picture, touched[30 : 30 + HEIGHT, 30 : 30 + WIDTH])


@settings(max_examples=100, deadline=None)
@given(
    pixel_format=st.sampled_from(DRAWABLE),
    points=st.lists(st.tuples(st.floats(-100, 200), st.floats(-100, 200)), max_size=6),
)
def test_a_path_stays_near_its_points(pixel_format: str, points: list[tuple[float, float]]) -> None:
    picture = noise(WIDTH, HEIGHT, pixel_format)
    canvas = Canvas(picture)
    canvas.polyline(np.array(points, float).reshape(-1, 2), RED, 2)
    if len(points) < 2:
        assert same_pixels(canvas.picture, picture)
        return
    (x0, y0), (x1, y1) = np.min(points, axis=0), np.max(points, axis=0)
    assert_untouched_elsewhere(picture, canvas.picture, pixels_in((x0 - 1, y0 - 1, x1 + 1, y1 + 1), 3))
