"""Converts RGB colours to the code values of a frame, given its matrix, range, depth and plane layout.

Pure functions; cached results are read-only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.render.layout import Layout
from streamer.values.colour import LUMA_WEIGHTS, Matrix
from streamer.values.drawable import Colour

CodeValues = tuple[npt.NDArray[Any], ...]
"""For each plane one value, shape `()`, or one for each channel, `(channels,)`; in the plane's dtype."""


class PixelCoding(NamedTuple):
    """How code values of a frame are to be understood."""

    layout: Layout
    matrix: Matrix
    full_range: bool


@lru_cache(maxsize=4096)
def code_values_of(rgb: Colour, coding: PixelCoding) -> CodeValues:
    """The code values of a colour, with opaque alpha.

    Limited range and the scaling to more bits are those of ITU-T H.273 (clause 8.3), as in BT.709-6 and BT.2020-2.
    """
    return _per_plane(_code_values(rgb, coding), coding.layout)


@lru_cache(maxsize=1024)
def cased_row(line: Colour, casing: Colour, line_px: int, casing_px: int, coding: PixelCoding) -> CodeValues:
    """A pixel row across a vertical line with casing; for each plane `(pixels,)` or `(pixels, channels)`."""
    rows = []
    for value, dark in zip(code_values_of(line, coding), code_values_of(casing, coding), strict=True):
        row = np.stack([dark] * casing_px + [value] * line_px + [dark] * casing_px)
        row.flags.writeable = False
        rows.append(row)
    return tuple(rows)


def _code_values(rgb: Colour, coding: PixelCoding) -> dict[str, int]:
    red, green, blue = (value / 255 for value in rgb)
    layout, top = coding.layout, coding.layout.max_value
    if coding.matrix == "rgb":
        values = {"R": top * red, "G": top * green, "B": top * blue}
    else:
        kr, kb = LUMA_WEIGHTS[coding.matrix]
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        u, v = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
        scale = 1 << (layout.bits - 8)
        neutral = 128 * scale
        if coding.full_range:
            values = {"Y": top * luma, "U": neutral + top * u, "V": neutral + top * v}
        else:
            values = {"Y": (16 + 219 * luma) * scale, "U": neutral + 224 * u * scale, "V": neutral + 224 * v * scale}
    values["A"] = top
    return {name: min(max(int(value + 0.5), 0), top) << layout.shift for name, value in values.items()}


def _per_plane(channels: dict[str, int], layout: Layout) -> CodeValues:
    dtype = np.uint8 if layout.bits <= 8 else np.uint16
    planes = []
    for names in layout.planes:
        values = np.array([channels[name] for name in names if name != "-"], dtype)
        values = values if len(values) > 1 else values.reshape(())
        values.flags.writeable = False
        planes.append(values)
    return tuple(planes)
