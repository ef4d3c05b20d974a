"""The samples of pictures: fingerprints of them, and the same ones under another format's name. Pure; any thread."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt

_FULL_RANGE = {"yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p", "yuvj440p": "yuv440p"}
"""Old names of FFmpeg for formats of full range, which encoders do not take; the samples lie alike."""


def plain_name(pixel_format: str) -> str:
    """A format with the same samples that encoders take."""
    return _FULL_RANGE.get(pixel_format, pixel_format)


def crc_of(picture: av.VideoFrame) -> int:
    """CRC-32 of the samples, without the padding of the rows."""
    crc = 0
    for rows in _planes(picture):
        crc = zlib.crc32(np.ascontiguousarray(rows).data, crc)
    return crc


def renamed(picture: av.VideoFrame, pixel_format: str, *, copies: bool = False) -> av.VideoFrame:
    """The same samples as a picture of a format in which they lie alike, with its colour tags and without a time.

    Args:
        picture: left as it is.
        pixel_format: the other one.
        copies: a picture of its own even if it is of that format already.
    """
    if picture.format.name == pixel_format and not copies:
        return picture
    other = av.VideoFrame(picture.width, picture.height, pixel_format)
    for rows, into in zip(_planes(picture), _planes(other), strict=True):
        into[:] = rows
    tag(other, colour_of(picture))
    return other


def colour_of(picture: av.VideoFrame) -> tuple[int, int, int, int]:
    """H.273 codes (primaries, transfer, matrix) and FFmpeg's range code."""
    return (
        int(picture.color_primaries),
        int(picture.color_trc),
        int(picture.colorspace),
        int(picture.color_range),
    )


def tag(picture: av.VideoFrame, colour: tuple[int, int, int, int]) -> None:
    """Give a picture what `colour_of` told of another."""
    picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range = colour


def _planes(picture: av.VideoFrame) -> Iterator[npt.NDArray[np.uint8]]:
    """The rows of each plane: uint8 `(rows, bytes)`, without padding; they share the picture's memory."""
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
