"""The colour matrix and range of a decoded frame, with defaults for untagged streams. Pure functions for any thread."""

from __future__ import annotations

from typing import Literal

import av
from av.video.reformatter import ColorRange, Colorspace

Matrix = Literal["bt601", "bt709", "bt2020", "fcc", "smpte240m", "rgb"]
"""The names are those of FFmpeg's `scale` filter, except `rgb`."""

# AVColorSpace, ITU-T H.273 table 4 (MatrixCoefficients).
_MATRIX_BY_CODE: dict[int, Matrix] = {
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}

# Kr and Kb of each matrix: ITU-T H.273 table 4, as in ITU-R BT.601-7, BT.709-6, BT.2020-2.
LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}

_SWSCALE: dict[Matrix, Colorspace] = {
    "bt601": Colorspace.ITU601,
    "bt709": Colorspace.ITU709,
    "bt2020": Colorspace.BT2020,
    "fcc": Colorspace.FCC,
    "smpte240m": Colorspace.SMPTE240M,
    "rgb": Colorspace.ITU601,  # RGB to RGB: the matrix is not used
}


def is_rgb(pixel_format: av.VideoFormat) -> bool:
    """Whether it is RGB, an RGB palette, or XYZ, which FFmpeg converts as RGB."""
    return pixel_format.is_rgb or pixel_format.has_palette or pixel_format.name.startswith("xyz")


def is_grey(pixel_format: av.VideoFormat) -> bool:
    """Whether it has one channel besides alpha; black and white included."""
    return not is_rgb(pixel_format) and sum(not part.is_alpha for part in pixel_format.components) == 1


def has_alpha(pixel_format: av.VideoFormat) -> bool:
    """Whether pixels may be transparent, as in a palette."""
    return pixel_format.has_palette or any(part.is_alpha for part in pixel_format.components)


def matrix_as_tagged(pixel_format: av.VideoFormat, code: int, width: int, height: int) -> Matrix:
    """The matrix of frames with an H.273 code.

    The default for untagged frames is that of players (mpv): BT.709 from 1280 wide or 577 high.
    """
    if is_rgb(pixel_format):
        return "rgb"
    return _MATRIX_BY_CODE.get(code, "bt709" if width >= 1280 or height > 576 else "bt601")


def full_range_as_tagged(pixel_format: av.VideoFormat, code: int) -> bool:
    """Whether frames with a range code of FFmpeg have full range (0..255 are black..white).

    `yuvj` formats and RGB are full. Untagged grey is full, as in FFmpeg; other untagged frames are limited (16..235).
    """
    if is_rgb(pixel_format) or pixel_format.name.startswith("yuvj"):
        return True
    return code == int(ColorRange.JPEG) or (code == int(ColorRange.UNSPECIFIED) and is_grey(pixel_format))


def matrix_of(frame: av.VideoFrame) -> Matrix:
    """The YCbCr matrix of a frame."""
    return matrix_as_tagged(frame.format, int(frame.colorspace), frame.width, frame.height)


def is_full_range(frame: av.VideoFrame) -> bool:
    """Whether a frame has full range: 0..255 are black..white."""
    return full_range_as_tagged(frame.format, int(frame.color_range))


def swscale_matrix(frame: av.VideoFrame) -> int:
    """The matrix of a frame as a number for `av.VideoFrame.reformat`."""
    return int(_SWSCALE[matrix_of(frame)])
