"""Frames that contain their own number and show damage: drawn by the camera, read by the receiver.

A strip of 48 black and white cells along the upper edge holds a number of 24 bits and a checksum of 24 bits. A strip
that is grey, smeared or mixed from two frames reads as None, not as a wrong number. The background below it scrolls and
squares move, all as a function of the number alone, so that missing parts and remains of another frame differ from the
clean frame of that number (`worst_difference`). Pure functions, for any thread.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
Size = tuple[int, int]

NUMBERS = 1 << 24
"""Numbers are 0 to `NUMBERS` - 1."""

CELLS = 48
_BLACK, _WHITE = 16, 235
_AT_MOST_BLACK, _AT_LEAST_WHITE = 100, 150
_SCROLL_PX = 2
_PERIOD_PX = 480
_BLOCK_PX = 16
VISIBLE = 24.0
"""A block of 16x16 pixels is damaged, not only coarsely encoded, from this mean difference on, in grey levels.

Measured at 640x360 and 1280x720: intact frames differ by at most 5 (libx264 crf 23 to 30, libx265 crf 28, JPEG at
quantizer 5), frames of a group with 1 to 10% lost RTP packets by 40 and more.
"""


class _Square(NamedTuple):
    """A moving square: its colour, its start (in heights and widths) and its steps in pixels per frame."""

    y: int
    u: int
    v: int
    left: float
    top: float
    right_px: int
    down_px: int


_SQUARES = (
    _Square(210, 90, 140, 0.1, 0.2, 4, 2),
    _Square(40, 150, 110, 0.4, 0.5, -6, 4),
    _Square(180, 60, 170, 0.7, 0.3, 8, -2),
    _Square(60, 170, 90, 0.9, 0.8, -2, -6),
    _Square(225, 120, 100, 0.3, 0.9, 6, 6),
    _Square(30, 110, 180, 0.6, 0.1, -8, 2),
)


def draw(number: int, size: Size) -> UInt8Array:
    """The clean frame of a number.

    Args:
        number: 0 to `NUMBERS` - 1.
        size: `(width, height)` in pixels, both even, at least 160x90.

    Returns:
        uint8 `(height * 3 // 2, width)`: I420, limited range, as `av.VideoFrame.from_ndarray(…, "yuv420p")` takes it.
    """
    width, height = size
    picture = np.empty((height * 3 // 2, width), np.uint8)
    planes = _planes(picture, size)
    shift = number * _SCROLL_PX % _PERIOD_PX
    for plane, scenery, step in zip(planes, _scenery(size), (1, 2, 2), strict=True):
        plane[:] = scenery[:, shift // step : shift // step + plane.shape[1]]
    top, side = strip_height_px(height), height // 16 * 2
    for square in _SQUARES:
        left = (round(square.left * width) + square.right_px * number) % (width - side) // 2 * 2
        upper = top + (round(square.top * height) + square.down_px * number) % (height - top - side) // 2 * 2
        for plane, value, step in zip(planes, square[:3], (1, 2, 2), strict=True):
            plane[upper // step : (upper + side) // step, left // step : (left + side) // step] = value
    planes[0][:top] = np.where(cells(number), _WHITE, _BLACK).astype(np.uint8)[_cell_of_column(width)]
    for plane in planes[1:]:
        plane[: top // 2] = 128
    return picture


def read_number(frame: av.VideoFrame) -> int | None:
    """The number in a frame of any size and pixel format, or None if the strip is damaged."""
    return read_luma(_luma(frame))


def read_luma(luma: UInt8Array) -> int | None:
    """The number in a luma plane, uint8 `(height, width)`, or None if the strip is damaged."""
    rows, columns = _samples((luma.shape[1], luma.shape[0]))
    samples = luma[rows, columns]
    lit = samples.min(axis=(0, 2)) >= _AT_LEAST_WHITE
    if not (lit | (samples.max(axis=(0, 2)) <= _AT_MOST_BLACK)).all():
        return None
    read = np.packbits(lit).tobytes()
    content = _masked(read[:3], read[3:])
    return int.from_bytes(content, "big") if _checksum(content) == read[3:] else None


def worst_difference(frame: av.VideoFrame, number: int) -> float:
    """The largest difference of a 16x16 block from the clean frame of this number.

    Args:
        frame: at the size at which it was drawn.
        number: its number.

    Returns:
        The mean absolute difference of that block, over luma and (at half the size) chroma, in grey levels.
    """
    size = frame.width, frame.height
    seen = frame if frame.format.name in ("yuv420p", "yuvj420p") else frame.reformat(format="yuv420p")
    clean = _planes(draw(number, size), size)
    return max(_worst_block(_plane(seen, k), clean[k], _BLOCK_PX if k == 0 else _BLOCK_PX // 2) for k in range(3))


def is_damaged(frame: av.VideoFrame, number: int | None) -> bool:
    """Whether parts are visibly missing, smeared or left from another frame."""
    return number is None or worst_difference(frame, number) >= VISIBLE


def cells(number: int) -> npt.NDArray[np.bool_]:
    """The strip of a number from left to right, `(48,)`; True is white."""
    content = number.to_bytes(3, "big")
    checksum = _checksum(content)
    return np.unpackbits(np.frombuffer(_masked(content, checksum) + checksum, np.uint8)).astype(np.bool_)


def strip_height_px(height: int) -> int:
    """Height of the strip: 16 of 360, 32 of 720 pixels."""
    return 2 * (height // 45)


def _checksum(content: bytes) -> bytes:
    # Not a CRC: with a linear code, cells of an earlier frame can combine to a valid third number.
    return hashlib.blake2b(content, digest_size=3).digest()


def _masked(content: bytes, checksum: bytes) -> bytes:
    """Encodes or decodes the number, so that half of the cells change from each frame to the next.

    If only the few bits changed that differ between consecutive numbers, a decoder that missed a frame could show the
    whole strip of an earlier one.
    """
    mask = hashlib.blake2b(checksum, digest_size=3).digest()
    return bytes(a ^ b for a, b in zip(content, mask, strict=True))


def _planes(picture: UInt8Array, size: Size) -> tuple[UInt8Array, UInt8Array, UInt8Array]:
    width, height = size
    chroma = picture[height:].reshape(2, height // 2, width // 2)
    return picture[:height], chroma[0], chroma[1]


def _plane(frame: av.VideoFrame, index: int) -> UInt8Array:
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _luma(frame: av.VideoFrame) -> UInt8Array:
    planar = frame.format.name in ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12", "gray")
    return _plane(frame if planar else frame.reformat(format="gray"), 0)


def _worst_block(seen: UInt8Array, clean: UInt8Array, block: int) -> float:
    height, width = (length // block * block for length in clean.shape)
    difference = np.maximum(seen, clean) - np.minimum(seen, clean)
    rows = difference[:height, :width].reshape(height // block, block, width).sum(axis=1, dtype=np.uint16)
    blocks = rows.reshape(height // block, width // block, block).sum(axis=2, dtype=np.uint32)
    return float(blocks.max()) / (block * block)


@lru_cache(maxsize=8)
def _scenery(size: Size) -> tuple[UInt8Array, UInt8Array, UInt8Array]:
    """Y, U and V of soft hills, one period wider than the frame."""
    width, height = size
    x = np.arange(width + _PERIOD_PX) * (2 * np.pi / _PERIOD_PX)
    y = np.arange(height)[:, None] * (2 * np.pi / 360)
    luma = 115 + 30 * np.sin(5 * x + np.sin(2 * y)) * np.cos(4 * y) + 25 * np.sin(2 * x - 3 * y)
    u = 128 + 20 * np.sin(x + y)
    v = 128 + 20 * np.cos(2 * x - y)
    return luma.astype(np.uint8), u[::2, ::2].astype(np.uint8), v[::2, ::2].astype(np.uint8)


@lru_cache(maxsize=8)
def _cell_of_column(width: int) -> npt.NDArray[np.intp]:
    return np.arange(width) * CELLS // width


@lru_cache(maxsize=8)
def _samples(size: Size) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Sample positions of the strip: rows `(4, 1, 1)` and columns `(48, 5)`, in the middle of each cell."""
    width, height = size
    rows = (np.array([0.35, 0.45, 0.55, 0.65]) * strip_height_px(height)).astype(np.intp)
    across = np.arange(CELLS)[:, None] + np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    return rows[:, None, None], (across * width / CELLS).astype(np.intp)
