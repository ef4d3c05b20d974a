"""The contract of `streamer.interfaces.Annotator`, for every registered annotator."""

from __future__ import annotations

import pytest

from streamer.interfaces import Annotator
from streamer.registry import ANNOTATORS
from streamer.render.canvas import Canvas
from streamer.values.events import LineState, Watched, ZoneState
from tests.render.scenes import DRAWABLE, noise, planes_of, same_pixels, scene, tracks, unused_bits
from tracking.types import Origin, Tracks

NAMES = sorted(ANNOTATORS)
SIZES = [(1, 1), (2, 2), (3, 1), (1, 40), (16, 16), (333, 251)]

BOXES = [
    (10, 20, 60, 90),
    (-30, -30, 12, 14),
    (50, 40, 50, 40),
    (70, 50, 500, 400),
    (-90, -90, -9, -9),
    (0, 0, 1e6, 1e6),
]
WATCHED = Watched(
    lines=(LineState("gate", ((0.1, 0.5), (0.9, 0.5)), 3, 1),),
    zones=(ZoneState("door", ((0.0, 0.0), (1.0, 0.0), (0.3, 1.0)), 2, 5),),
)


def annotator(name: str) -> Annotator:
    made: Annotator = ANNOTATORS[name]()
    return made


def walk(made: Annotator, size: tuple[int, int], pixel_format: str = "yuv420p", shots: int = 3) -> Canvas:
    """Draw a few scenes in which everything moves; returns the last canvas."""
    for step in range(shots):
        picture = noise(*size, pixel_format)
        moved = [(x0 + 3 * step, y0, x1 + 3 * step, y1) for x0, y0, x1, y1 in BOXES]
        canvas = Canvas(picture)
        made.draw(
            canvas,
            scene(picture, tracks(moved, labels=[0, 1, 2, 3, 99, -1]), time_s=step / 25, index=step, watched=WATCHED),
        )
        assert same_pixels(picture, noise(*size, pixel_format)), "the decoder's picture was written to"
    return canvas


@pytest.mark.parametrize("name", NAMES)
def test_is_built_without_arguments_and_draws(name: str) -> None:
    canvas = walk(annotator(name), (128, 96))
    assert not same_pixels(canvas.picture, noise(128, 96))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_scene_is_fine(name: str) -> None:
    made = annotator(name)
    for step in range(2):
        picture = noise(64, 48)
        made.draw(Canvas(picture), scene(picture, Tracks.empty(), time_s=step / 25, fps=0.0))
        assert same_pixels(picture, noise(64, 48))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_any_size_is_fine(name: str, size: tuple[int, int]) -> None:
    canvas = walk(annotator(name), size)
    assert (canvas.picture.width, canvas.picture.height) == size


@pytest.mark.parametrize("pixel_format", DRAWABLE)
@pytest.mark.parametrize("name", NAMES)
def test_any_format_is_fine_and_stays(name: str, pixel_format: str) -> None:
    canvas = walk(annotator(name), (65, 47), pixel_format, shots=2)
    assert canvas.picture.format.name == pixel_format
    most = (1 << canvas.picture.format.components[0].bits) - 1 << unused_bits(pixel_format)
    for samples in planes_of(canvas.picture):
        assert int(samples.max()) <= most


@pytest.mark.parametrize("name", NAMES)
def test_the_same_scenes_give_the_same_result(name: str) -> None:
    first, second = walk(annotator(name), (128, 96)), walk(annotator(name), (128, 96))
    assert same_pixels(first.picture, second.picture)


@pytest.mark.parametrize("name", NAMES)
def test_two_instances_share_nothing(name: str) -> None:
    alone = walk(annotator(name), (128, 96))
    one, other = annotator(name), annotator(name)
    walk(other, (200, 150), "nv12", shots=2)
    assert same_pixels(walk(one, (128, 96)).picture, alone.picture)


@pytest.mark.parametrize("name", NAMES)
def test_size_format_and_segment_may_change(name: str) -> None:
    made = annotator(name)
    for segment, (size, pixel_format) in enumerate(
        (((128, 96), "yuv420p"), ((96, 128), "yuv420p"), ((64, 64), "p010le"))
    ):
        for step in range(3):
            picture = noise(*size, pixel_format)
            shown = tracks(BOXES[:2], origin=Origin.PREDICTED)
            canvas = Canvas(picture)
            made.draw(canvas, scene(picture, shown, time_s=5 - segment + step / 25, segment=segment))
        assert canvas.picture.format.name == pixel_format


@pytest.mark.parametrize("name", NAMES)
def test_many_tracks_are_fine(name: str) -> None:
    made = annotator(name)
    boxes = [(7 * (row % 40), 5 * (row // 40), 7 * (row % 40) + 30, 5 * (row // 40) + 25) for row in range(300)]
    for step in range(2):
        picture = noise(320, 240)
        canvas = Canvas(picture)
        made.draw(canvas, scene(picture, tracks(boxes, ids=range(10**12, 10**12 + 300)), time_s=step / 25))
    assert (canvas.picture.width, canvas.picture.height) == (320, 240)
