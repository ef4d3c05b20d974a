"""The digest of a decoded frame: equal for frames on which a detector finds the same. Any thread.

BLAKE2b is fast on every processor: 1 ms for 1280x720, where SHA-256 without its own instructions takes 4 ms.
"""

from __future__ import annotations

import hashlib
import struct

import av
import numpy as np

from streamer.values.frame import Frame

DIGEST_BYTES = 16
_PALETTE_BYTES = 1024  # 256 entries of 4 bytes


def picture_digest(frame: Frame) -> bytes:
    """The digest of all that a detector can see of a frame: pixels, format, size, colour tags, `interlaced`.

    Args:
        frame: as a source returns it.

    Returns:
        16 bytes. They do not depend on the padding of the planes, which differs between decoders and threads.
    """
    picture = frame.picture
    tags = int(picture.color_primaries), int(picture.color_trc), int(picture.colorspace), int(picture.color_range)
    found = hashlib.blake2b(picture.format.name.encode(), digest_size=DIGEST_BYTES)
    found.update(struct.pack("<6iB", picture.width, picture.height, *tags, frame.interlaced))
    for number, plane in enumerate(picture.planes):
        _add_plane(found, picture, number, plane)
    return found.digest()


def _add_plane(found: hashlib.blake2b, picture: av.VideoFrame, number: int, plane: av.video.plane.VideoPlane) -> None:
    """Hash the visible bytes of the rows of a plane."""
    if picture.format.has_palette and number:
        found.update(memoryview(plane)[:_PALETTE_BYTES])
        return
    used, stored = _row_bytes(picture.format, number, plane.width), plane.line_size
    if used == stored:
        found.update(memoryview(plane)[: used * plane.height])
        return
    rows = np.frombuffer(memoryview(plane), np.uint8)[: stored * plane.height].reshape(plane.height, stored)
    found.update(np.ascontiguousarray(rows[:, :used]).data)


def _row_bytes(pixel_format: av.VideoFormat, number: int, width: int) -> int:
    """The bytes of the pixels in a row of a plane of this width.

    A format has all of its components in one plane, with bits of padding between them, or whole bytes a component.
    """
    components = [one for one in pixel_format.components if one.plane == number]
    if len({one.plane for one in pixel_format.components}) == 1:
        return -(-pixel_format.padded_bits_per_pixel * width // 8)
    return sum(-(-one.bits // 8) for one in components) * width
