"""The canary: a picture that every worker detects when it starts, to compare their arithmetic. Any thread.

Machines of different kinds compute slightly different numbers from the same picture and the same model. Only objects
that a detector reports show that, so the picture does not come from the video, whose first frame may be blank. It is
drawn with integers, so that it is the same everywhere: a monitor, a mug, a traffic light, a car and a ball before a
texture. `nanodet` and `starter` find several of them at their default scores (`tests/parts/test_canary.py`).
"""

from __future__ import annotations

import hashlib
import logging
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from streamer.errors import DetectorError, DetectorUnreachable
from streamer.interfaces import Detector
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

_WIDTH, _HEIGHT = 1280, 720
_SEED = 1
_BACKGROUND = (110, 120, 130)
_OCTAVES = ((160, 8), (40, 4), (10, 2), (3, 1))
"""Size of the cells of the texture in pixels, and their weight."""
_AMPLITUDE = 24

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, half-open."""
IntPicture = npt.NDArray[np.int64]
"""`(height, width, 3)`, red first."""

_DARK, _GREY, _LIGHT, _RED = (22, 22, 24), (40, 40, 42), (235, 240, 245), (200, 30, 40)


def canary_digest(detector: Detector) -> str:
    """SHA-256 of the exact detections on the canary, and of the highest score, where the detector knows it.

    The highest score counts also where it is below the least score that is reported. A detector that fails on the
    canary has a digest, too, and a warning is logged.

    Raises:
        DetectorUnreachable: it is elsewhere, and does not answer.
    """
    try:
        found = detector.detect(canary_frame())
    except DetectorUnreachable:
        raise
    except DetectorError as error:
        log.warning("the detector fails on the picture by which machines are compared: %s", error)
        return hashlib.sha256(b"failed").hexdigest()
    digest = hashlib.sha256(repr(getattr(detector, "top_score", None)).encode())
    for array in (found.boxes, found.scores, found.labels):
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def canary_frame() -> Frame:
    """The picture as yuv420p, 1280x720, so that the conversion of colours and the scaling are compared, too."""
    planes = np.concatenate([plane.reshape(-1) for plane in _planes(canary_picture())])
    picture = av.VideoFrame.from_ndarray(planes.reshape(_HEIGHT * 3 // 2, _WIDTH), "yuv420p")
    picture.colorspace, picture.color_range = Colorspace.ITU709, ColorRange.MPEG
    return Frame(picture, index=0, pts=0, time_base=Fraction(1), captured_s=0.0)


def canary_picture() -> npt.NDArray[np.uint8]:
    """The picture as RGB: uint8 `(720, 1280, 3)`."""
    picture = _texture()
    _monitor(picture, 60, 70, 470, 280)
    _mug(picture, 960, 330, 220)
    _traffic_light(picture, 640, 50)
    _car(picture, 70, 450, 120)
    _disc(picture, (770, 570), 105, (240, 140, 20), shaded=True)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _planes(rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """Y, U and V in the limited range of BT.709, in 16-bit fixed point; the colours of 2x2 pixels are averaged."""
    red, green, blue = (rgb[..., channel].astype(np.int64) for channel in range(3))
    y = 16 + ((11966 * red + 40254 * green + 4064 * blue + 32768) >> 16)
    small = [one.reshape(_HEIGHT // 2, 2, _WIDTH // 2, 2).sum(axis=(1, 3)) // 4 for one in (red, green, blue)]
    u = 128 + ((-6596 * small[0] - 22189 * small[1] + 28784 * small[2] + 32768) >> 16)
    v = 128 + ((28784 * small[0] - 26145 * small[1] - 2639 * small[2] + 32768) >> 16)
    return [np.clip(plane, 0, 255).astype(np.uint8) for plane in (y, u, v)]


def _texture() -> IntPicture:
    """Noise of several sizes, the same in every version of NumPy (`RandomState` is frozen)."""
    random = np.random.RandomState(_SEED)
    picture = np.zeros((_HEIGHT, _WIDTH, 3), np.int64)
    for cell, weight in _OCTAVES:
        shape = (_HEIGHT // cell + 1, _WIDTH // cell + 1, 3)
        values = random.randint(-_AMPLITUDE, _AMPLITUDE, shape, dtype=np.int64)
        picture += weight * values.repeat(cell, axis=0).repeat(cell, axis=1)[:_HEIGHT, :_WIDTH]
    return np.array(_BACKGROUND) + picture // sum(weight for _, weight in _OCTAVES)


def _rectangle(picture: IntPicture, box: Box, colour: Colour) -> None:
    picture[box[1] : box[3], box[0] : box[2]] = colour


def _disc(picture: IntPicture, centre: tuple[int, int], radius: int, colour: Colour, *, shaded: bool = False) -> None:
    y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.int64)
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2
    light = np.full_like(x, 256)
    if shaded:  # lit from the upper left
        light -= 60 * ((x - centre[0] + radius // 3) ** 2 + (y - centre[1] + radius // 3) ** 2) // radius**2
    picture[inside] = (light[..., None] * np.array(colour) // 256)[inside]


def _monitor(picture: IntPicture, x: int, y: int, width: int, height: int) -> None:
    edge = width // 30
    _rectangle(picture, (x, y, x + width, y + height), _DARK)
    _rectangle(picture, (x + edge, y + edge, x + width - edge, y + height - edge), (70, 130, 210))
    _rectangle(picture, (x + width * 2 // 5, y + height, x + width * 3 // 5, y + height * 7 // 6), _DARK)
    _rectangle(picture, (x + width // 4, y + height * 7 // 6, x + width * 3 // 4, y + height * 6 // 5), _GREY)


def _mug(picture: IntPicture, x: int, y: int, side: int) -> None:
    _disc(picture, (x + side, y + side // 2), side // 3, _RED)
    _disc(picture, (x + side, y + side // 2), side // 5, _BACKGROUND)
    _rectangle(picture, (x, y, x + side, y + side * 5 // 4), _RED)
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    picture[(columns - x - side // 2) ** 2 + (4 * (rows - y)) ** 2 <= (side // 2) ** 2] = (60, 35, 20)


def _traffic_light(picture: IntPicture, x: int, y: int) -> None:
    _rectangle(picture, (x + 42, y + 270, x + 58, _HEIGHT), (70, 70, 70))
    _rectangle(picture, (x, y, x + 100, y + 270), _DARK)
    for row, colour in enumerate(((250, 40, 30), (90, 80, 20), (20, 70, 40))):
        _disc(picture, (x + 50, y + 50 + 85 * row), 34, colour)


def _car(picture: IntPicture, x: int, y: int, side: int) -> None:
    _rectangle(picture, (x, y + side, x + 4 * side, y + 2 * side), _RED)
    for row in range(side):  # the roof grows narrower upwards, and so do the windows in it
        left, right, top = x + (side + row) // 2, x + 4 * side - (side + row) // 2, y + side - row
        _rectangle(picture, (left, top, right, top + 1), _RED)
        if row < side * 3 // 4:
            inset, middle = side // 4, x + 2 * side
            _rectangle(picture, (left + inset, top, middle - side // 10, top + 1), (150, 190, 220))
            _rectangle(picture, (middle + side // 10, top, right - inset, top + 1), (150, 190, 220))
    for wheel in (x + side, x + 3 * side):
        _disc(picture, (wheel, y + 2 * side), side // 2, (20, 20, 20))
        _disc(picture, (wheel, y + 2 * side), side // 4, (180, 180, 180))
