"""Samples of pictures: checksums, and conversion between formats with the same memory layout. Pure; any thread."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt

_FULL_RANGE = {"yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p", "yuvj440p": "yuv440p"}
"""FFmpeg's deprecated names of full-range formats, which encoders reject, and the formats with the same layout."""


def encodable_format(pixel_format: str) -> str:
    """The format with the same memory layout that encoders accept."""
    return _FULL_RANGE.get(pixel_format, pixel_format)


def crc_of(picture: av.VideoFrame) -> int:
    """CRC-32 of the samples, without row padding."""
    crc = 0
    for rows in _planes(picture):
        crc = zlib.crc32(np.ascontiguousarray(rows).data, crc)
    return crc


def with_format(picture: av.VideoFrame, pixel_format: str, *, copies: bool = False) -> av.VideoFrame:
    """The same samples and colour tags, declared as another format with the same layout, without a time.

    Args:
        picture: not changed.
        pixel_format: the other format.
        copies: make a copy even if the picture has that format already.
    """
    if picture.format.name == pixel_format and not copies:
        return picture
    other = av.VideoFrame(picture.width, picture.height, pixel_format)
    for rows, into in zip(_planes(picture), _planes(other), strict=True):
        into[:] = rows
    tag_colour(other, colour_of(picture))
    return other


def colour_of(picture: av.VideoFrame) -> tuple[int, int, int, int]:
    """H.273 codes (primaries, transfer, matrix) and FFmpeg's range code."""
    return (
        int(picture.color_primaries),
        int(picture.color_trc),
        int(picture.colorspace),
        int(picture.color_range),
    )


def tag_colour(picture: av.VideoFrame, colour: tuple[int, int, int, int]) -> None:
    """Set the colour tags of a picture, as returned by `colour_of`."""
    picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range = colour


def _planes(picture: av.VideoFrame) -> Iterator[npt.NDArray[np.uint8]]:
    """Each plane as uint8 `(rows, bytes)`, without row padding; shares the memory of the picture."""
    for number, plane in enumerate(picture.planes):
        if len(picture.planes) == 1:
            used = -(-picture.width * picture.format.padded_bits_per_pixel // 8)
        else:
            parts = [part for part in picture.format.components if part.plane == number]
            used = sum(part.width * (1 + (part.bits > 8)) for part in parts)
        rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height].reshape(
            plane.height, plane.line_size
        )
        yield rows[:, :used]
