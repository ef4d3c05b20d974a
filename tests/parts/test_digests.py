"""The digest of a picture: it changes with all that a detector can see, and with nothing else."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from streamer.parts.digests import DIGEST_BYTES, picture_digest
from streamer.values.frame import Frame

# fmt: off
FORMATS = {
    "yuv420p": (1, 1, 1), "yuv422p10le": (2, 2, 2), "yuv444p": (1, 1, 1), "nv12": (1, 2), "p010le": (2, 4),
    "gray": (1,), "gray10le": (2,), "rgb24": (3,), "bgra": (4,), "gbrp": (1, 1, 1), "yuyv422": (2,), "rgb48le": (6,),
    "gbrpf32le": (4, 4, 4), "yuva420p": (1, 1, 1, 1),
}
# fmt: on
"""Bytes of a sample in each plane."""
SIZE = (37, 21)


def filled(pixel_format: str, pad: int = 0) -> av.VideoFrame:
    """A frame whose rows have known bytes, followed by padding of this value."""
    picture = av.VideoFrame(*SIZE, pixel_format)
    random = np.random.default_rng(1)
    for number, plane in enumerate(picture.planes):
        rows = np.full((plane.height, plane.line_size), pad, np.uint8)
        used = visible(picture, number)
        rows[:, :used] = random.integers(0, 256, (plane.height, used), np.uint8)
        plane.update(rows.tobytes().ljust(plane.buffer_size, bytes([pad])))
    return picture


def visible(picture: av.VideoFrame, number: int) -> int:
    return FORMATS[picture.format.name][number] * picture.planes[number].width


def digest(picture: av.VideoFrame, **fields: Any) -> bytes:
    return picture_digest(Frame(picture=picture, index=0, pts=0, time_base=Fraction(1), captured_s=0.0, **fields))


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_padding_of_the_rows_is_ignored(pixel_format: str) -> None:
    assert digest(filled(pixel_format)) == digest(filled(pixel_format, pad=77))
    assert len(digest(filled(pixel_format))) == DIGEST_BYTES


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_corner_of_every_plane_counts(pixel_format: str) -> None:
    expected = digest(filled(pixel_format))
    for number in range(len(FORMATS[pixel_format])):
        picture = filled(pixel_format)
        plane, used = picture.planes[number], visible(picture, number)
        for row in (0, plane.height - 1):
            for column in (0, used - 1):
                changed = bytearray(memoryview(plane))
                changed[row * plane.line_size + column] ^= 1
                plane.update(bytes(changed))
                assert digest(picture) != expected
                changed[row * plane.line_size + column] ^= 1
                plane.update(bytes(changed))
        assert digest(picture) == expected


def test_the_colours_of_a_palette_count() -> None:
    one, other = (av.VideoFrame(*SIZE, "pal8") for _ in range(2))
    for picture, colour in ((one, 1), (other, 2)):
        picture.planes[0].update(bytes(picture.planes[0].buffer_size))
        picture.planes[1].update(bytes([colour]) * picture.planes[1].buffer_size)
    assert digest(one) != digest(other)


@pytest.mark.parametrize("tag", ["color_primaries", "color_trc", "colorspace", "color_range"])
def test_colour_tags_count(tag: str) -> None:
    picture = filled("yuv420p")
    before = digest(picture)
    setattr(picture, tag, 1)
    assert digest(picture) != before


def test_format_size_and_fields_count() -> None:
    pictures = [av.VideoFrame(*size, name) for name in ("yuv420p", "yuvj420p") for size in ((16, 32), (32, 16))]
    for picture in pictures:
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
    assert len({digest(picture, interlaced=fields) for picture in pictures for fields in (False, True)}) == 8
