"""One field of an interlaced picture as a picture of half the height. Pure functions, for any thread."""

from __future__ import annotations

import av
import numpy as np


def upper_field(picture: av.VideoFrame) -> av.VideoFrame:
    """Every second row of each plane, from the first; colour, range and time as of the picture.

    Args:
        picture: of any format whose planes have rows of pixels.
    """
    field = av.VideoFrame(picture.width, (picture.height + 1) // 2, picture.format.name)
    for given, made in zip(picture.planes, field.planes, strict=True):
        rows = np.frombuffer(memoryview(given), np.uint8).reshape(-1, given.line_size)[: given.height : 2]
        target = np.frombuffer(memoryview(made), np.uint8).reshape(-1, made.line_size)
        width = min(given.line_size, made.line_size)
        kept = min(len(rows), made.height)
        target[:kept, :width] = rows[:kept, :width]
        target[kept : made.height] = target[kept - 1]
    field.colorspace, field.color_range = picture.colorspace, picture.color_range
    field.pts, field.time_base = picture.pts, picture.time_base or field.time_base
    return field
