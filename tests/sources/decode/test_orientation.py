"""Rotation keeps every sample, in every format that can be turned."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import av
import av.filter
import numpy as np
import numpy.typing as npt
import pytest

from streamer.sources.decode.orientation import UPRIGHT, Orientation, Rotator, orientation_of, turnable_format

ALL = [Orientation(*flags) for flags in product((False, True), repeat=3)]
PERMUTED = [
    "yuv420p",
    "yuvj420p",
    "yuv444p",
    "yuv420p10le",
    "yuva420p",
    "nv12",
    "p010le",
    "gray",
    "rgb24",
    "bgra",
    "gbrp",
]
TIME_BASE = Fraction(1, 1000)


def noise(name: str, width: int = 38, height: int = 26) -> av.VideoFrame:
    """A frame of random samples."""
    frame = av.VideoFrame(width, height, name)
    random = np.random.default_rng(1)
    for plane in frame.planes:
        plane.update(random.bytes(plane.buffer_size))
    frame.pts, frame.time_base, frame.duration = 7, TIME_BASE, 40
    return frame


def samples(frame: av.VideoFrame, plane: int) -> npt.NDArray[np.uint8]:
    """Pixels of one plane: uint8 `(height, width, bytes of a pixel)`."""
    held = frame.planes[plane]
    assert held.line_size > 0
    content: npt.NDArray[np.uint8] = np.frombuffer(memoryview(held), np.uint8)
    rows = content.reshape(-1, held.line_size)[: held.height]
    size = {"nv12": (1, 2), "p010le": (2, 4), "rgb24": (3,), "bgra": (4,), "yuv420p10le": (2, 2, 2)}
    bytes_each = size.get(frame.format.name, (1,) * 4)[plane]
    return rows[:, : held.width * bytes_each].reshape(held.height, held.width, bytes_each)


def upright(stored: npt.NDArray[np.uint8], orientation: Orientation) -> npt.NDArray[np.uint8]:
    turned = stored.swapaxes(0, 1) if orientation.transposed else stored
    if orientation.flipped_x:
        turned = turned[:, ::-1]
    if orientation.flipped_y:
        turned = turned[::-1]
    return turned


@pytest.mark.parametrize("orientation", ALL, ids=str)
@pytest.mark.parametrize("name", PERMUTED)
def test_every_plane_is_permuted(name: str, orientation: Orientation) -> None:
    stored = noise(name)
    turned = Rotator(orientation).turn(stored, TIME_BASE)
    assert turned.format.name == name
    assert (turned.pts, turned.time_base, turned.duration) == (7, TIME_BASE, 40)
    for plane in range(len(stored.planes)):
        assert np.array_equal(samples(turned, plane), upright(samples(stored, plane), orientation))


@pytest.mark.parametrize(
    ("name", "turned_name"),
    [
        ("yuv422p", "yuv444p"),
        ("yuvj422p", "yuvj444p"),
        ("yuv422p10le", "yuv444p10le"),
        ("yuv411p", "yuv444p"),
        ("yuv440p", "yuv444p"),
        ("uyvy422", "yuv444p"),
        ("yuyv422", "yuv444p"),
        ("nv16", "yuv444p"),
    ],
)
def test_luma_is_unchanged_if_chroma_is_converted(name: str, turned_name: str) -> None:
    stored = noise(name)
    stored.color_range, stored.colorspace = 2, 1
    clock = Orientation(True, True, False)
    turned = Rotator(clock).turn(stored, TIME_BASE)
    assert turned.format.name == turned_name
    assert (turned.width, turned.height) == (26, 38)
    assert (turned.color_range, turned.colorspace) == (2, 1)
    if name not in ("uyvy422", "yuyv422", "yuv422p10le"):
        assert np.array_equal(samples(turned, 0), upright(samples(stored, 0), clock))


@pytest.mark.parametrize(("name", "target"), [("monow", "gray"), ("pal8", "bgra"), ("uyvy422", "yuv422p")])
def test_formats_that_cannot_be_mirrored_are_converted(name: str, target: str) -> None:
    turned = Rotator(Orientation(flipped_x=True)).turn(noise(name), TIME_BASE)
    assert turned.format.name == target == turnable_format(noise(name).format, transposed=False)


def test_one_rotator_accepts_frames_of_changing_shape() -> None:
    turner = Rotator(Orientation(transposed=True))
    for width, height, name in ((38, 26, "yuv420p"), (20, 10, "yuv420p"), (20, 10, "gray"), (38, 26, "yuv420p")):
        turned = turner.turn(noise(name, width, height), TIME_BASE)
        assert (turned.width, turned.height, turned.format.name) == (height, width, name)


def test_reversed_rows_are_put_in_order() -> None:
    graph = av.filter.Graph()
    stored = noise("yuv420p")
    buffer = graph.add_buffer(width=38, height=26, format=stored.format, time_base=TIME_BASE)
    graph.link_nodes(buffer, graph.add("vflip"), graph.add("buffersink")).configure()
    graph.vpush(stored)
    backwards = graph.vpull()
    assert backwards.planes[0].line_size < 0
    turned = Rotator(UPRIGHT).turn(backwards, TIME_BASE)
    for plane in range(3):
        assert np.array_equal(samples(turned, plane), samples(stored, plane)[::-1])


def test_upright_frames_are_returned_unchanged() -> None:
    picture = noise("yuv420p")
    assert Rotator(UPRIGHT).turn(picture, TIME_BASE) is picture
    assert orientation_of(picture) == UPRIGHT


def test_rotation_and_mirror_describe_all_orientations() -> None:
    names = {(orientation.rotation, orientation.mirrored) for orientation in ALL}
    assert {rotation for rotation, mirrored in names if not mirrored} == {0, 90, 180, 270}
    assert Orientation(True, True, False).rotation == 90
    assert not Orientation(True, True, False).mirrored
    assert Orientation(True, False, False).mirrored
