"""The numbered frames: read through every codec, at every size, and never with a wrong number."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults import counter

NUMBERS = st.integers(0, counter.NUMBERS - 1)
# The first frame of a size takes longer, because it draws the background.
at_any_pace = settings(deadline=None)
SIZES = [(320, 240), (640, 360), (854, 480), (1280, 720), (1920, 1080)]


def frame(number: int, size: tuple[int, int]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(counter.draw(number, size), "yuv420p")


@at_any_pace
@given(NUMBERS, st.sampled_from(SIZES))
def test_every_number_is_read_back(number: int, size: tuple[int, int]) -> None:
    assert counter.read_number(frame(number, size)) == number


@at_any_pace
@given(NUMBERS, st.sampled_from(["rgb24", "bgr24", "yuv444p", "nv12", "gray", "yuyv422"]))
def test_the_number_is_read_in_every_pixel_format_and_scaled(number: int, pixel_format: str) -> None:
    shown = frame(number, (1280, 720)).reformat(width=640, height=360, format=pixel_format)
    assert counter.read_number(shown) == number


@at_any_pace
@given(NUMBERS, NUMBERS, st.data())
def test_a_strip_mixed_from_two_frames_is_none_or_one_of_them(first: int, second: int, data: st.DataObject) -> None:
    of_second = data.draw(st.lists(st.booleans(), min_size=counter.CELLS, max_size=counter.CELLS))
    luma = counter.draw(first, (960, 360))[:360].copy()
    other = counter.draw(second, (960, 360))[:360]
    columns = np.repeat(of_second, 960 // counter.CELLS)
    luma[:, columns] = other[:, columns]
    assert counter.read_luma(luma) in (None, first, second)


def test_cells_of_lost_frames_never_make_a_number() -> None:
    """A decoder that missed frames changes only the cells that the next frames change."""
    strips = [counter.cells(number) for number in range(400)]
    for start in range(0, 360, 3):
        for missed in range(1, 8):
            strip = strips[start]
            for number in range(start + missed + 1, start + missed + 8):
                changed = strips[number] ^ strips[number - 1]
                strip = np.where(changed, strips[number], strip)
                row = np.where(strip, 235, 16).astype(np.uint8).repeat(20)
                assert counter.read_luma(np.tile(row, (360, 1))) in (None, number)


@pytest.mark.parametrize("value", [0, 16, 100, 128, 150, 235, 255])
def test_a_plain_frame_has_no_number(value: int) -> None:
    assert counter.read_luma(np.full((360, 640), value, np.uint8)) is None


@at_any_pace
@given(NUMBERS)
def test_remains_of_another_frame_are_damage(number: int) -> None:
    whole = frame(number, (640, 360))
    assert not counter.is_damaged(whole, number)
    mixed = counter.draw(number, (640, 360)).copy()
    mixed[180:360] = counter.draw((number + 5) % counter.NUMBERS, (640, 360))[180:360]
    assert counter.is_damaged(av.VideoFrame.from_ndarray(mixed, "yuv420p"), number)
    mixed[180:360] = 128
    assert counter.is_damaged(av.VideoFrame.from_ndarray(mixed, "yuv420p"), number)
    assert counter.is_damaged(whole, None)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"preset": "ultrafast", "crf": "30"}),
        ("mpeg4", {"b": "1500000"}),
        ("mjpeg", {"qmin": "8", "qmax": "8"}),
    ],
)
def test_coarse_encoding_is_not_damage(codec: str, options: dict[str, str]) -> None:
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = 640, 360
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = options
    decoder = av.CodecContext.create({"libx264": "h264"}.get(codec, codec), "r")
    assert isinstance(decoder, av.VideoCodecContext)
    packets = []
    for number in range(40):
        picture = av.VideoFrame.from_ndarray(counter.draw(number, (640, 360)), encoder.pix_fmt)
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoded = [each for packet in packets for each in decoder.decode(packet)] + decoder.decode(None)
    assert [counter.read_number(each) for each in decoded] == list(range(40))
    assert [number for number, each in enumerate(decoded) if counter.is_damaged(each, number)] == []
