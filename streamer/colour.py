"""Which colour matrix and range a decoded picture has; the one place that guesses where the stream does not say.

Pure functions, used by whichever thread holds the frame.
"""

from __future__ import annotations

from typing import Literal

import av
from av.video.reformatter import ColorRange, Colorspace

Matrix = Literal["bt601", "bt709", "bt2020", "rgb"]

# AVColorSpace, ITU-T H.273 table 4 (MatrixCoefficients).
_MATRIX_BY_CODE: dict[int, Matrix] = {
    0: "rgb",
    1: "bt709",
    4: "bt601",
    5: "bt601",
    6: "bt601",
    7: "bt709",
    9: "bt2020",
    10: "bt2020",
}

# Kr and Kb of each matrix: ITU-R BT.601-7, BT.709-6, BT.2020-2.
LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}


def matrix_of(picture: av.VideoFrame) -> Matrix:
    """The YCbCr matrix of a picture; untagged ones get what players assume (mpv): BT.709 from 1280 wide or 577 high."""
    if picture.format.is_rgb:
        return "rgb"
    known = _MATRIX_BY_CODE.get(int(picture.colorspace))
    if known is not None and known != "rgb":
        return known
    return "bt709" if picture.width >= 1280 or picture.height > 576 else "bt601"


def is_full_range(picture: av.VideoFrame) -> bool:
    """True when 0..255 are black..white; untagged YUV is limited (16..235), `yuvj` formats and RGB are full."""
    if picture.format.is_rgb or picture.format.name.startswith("yuvj"):
        return True
    return int(picture.color_range) == int(ColorRange.JPEG)


def swscale_matrix(picture: av.VideoFrame) -> int:
    """The same answer as `matrix_of`, in the numbers that `av.VideoFrame.reformat` takes."""
    return int(
        {
            "bt601": Colorspace.ITU601,
            "bt709": Colorspace.ITU709,
            "bt2020": Colorspace.BT2020,
            "rgb": Colorspace.ITU601,  # RGB to RGB: the matrix is not used
        }[matrix_of(picture)]
    )
