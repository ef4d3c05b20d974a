"""Frames as RGB."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.values.frame import Frame
from tests.detectors.frames import frame_of, street


@pytest.mark.parametrize("size", [(96, 64), (640, 360), (33, 77)], ids=str)
@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr24", "gray", "yuv444p"])
def test_planes_have_the_pixels_of_the_packed_frame(size: tuple[int, int], pixel_format: str) -> None:
    frame = frame_of(street(320, 240), pixel_format=pixel_format)
    planes = np.dstack(frame.rgb_planes(size))
    assert planes.shape == (size[1], size[0], 3)
    assert np.abs(planes.astype(int) - frame.rgb(size)).max() <= 1


def test_planes_of_a_plain_colour_are_exact() -> None:
    frame = frame_of(np.full((40, 30, 3), (200, 100, 50), np.uint8))
    assert [plane.min() for plane in frame.rgb_planes((7, 5))] == [200, 100, 50]
    assert [plane.max() for plane in frame.rgb_planes((7, 5))] == [200, 100, 50]


@given(st.integers(-(2**62), 2**62), st.fractions(min_value=Fraction(1, 10**9), max_value=10, max_denominator=10**9))
def test_the_media_time_is_the_nearest_number_to_the_fraction(pts: int, time_base: Fraction) -> None:
    frame = Frame(av.VideoFrame(16, 16, "gray"), 0, pts, time_base, 0.0)
    assert frame.time_s == float(pts * time_base)
