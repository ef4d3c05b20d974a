"""The modes of a camera and the choice among them. Pure functions, used by the thread that opens the camera."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

RAW_FORMATS = {
    "NV12": "nv12",
    "YU12": "yuv420p",
    "422P": "yuv422p",
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "YVYU": "yvyu422",
    "NV21": "nv21",
    "BGR3": "bgr24",
    "RGB3": "rgb24",
    "GREY": "gray",
}
"""V4L2's name of an uncompressed pixel format → FFmpeg's, those that need the least copying first."""
JPEG_FORMATS = ("MJPG", "JPEG")
_ORDER = {name: place for place, name in enumerate((*RAW_FORMATS, *JPEG_FORMATS))}

PREFERRED_SIZE = (1280, 720)
PREFERRED_FPS = 30
SMOOTH_FPS = 24
"""By default a smaller frame at this rate is preferred to a larger frame at a lower rate."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One frame size in one pixel format.

    Attributes:
        pixel_format: V4L2's four characters, such as `YUYV` or `MJPG`.
        width, height: pixels.
        rates_fps: the offered rates, falling; empty if the driver does not report them.
    """

    pixel_format: str
    width: int
    height: int
    rates_fps: tuple[Fraction, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether this program can read the format."""
        return self.pixel_format in _ORDER

    def __str__(self) -> str:
        rates = f" at {rates_text(self.rates_fps)} fps" if self.rates_fps else ""
        return f"{self.width}x{self.height} {self.pixel_format}{rates}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The mode that the driver is asked for; the driver chooses the rate if `fps` is None."""

    pixel_format: str
    width: int
    height: int
    fps: Fraction | None


class NotOfferedError(Exception):
    """No mode fits the request; the message has the missing value and the nearest ones."""


def choose_mode(
    modes: Sequence[Mode],
    *,
    size: tuple[int, int] | None = None,
    fps: Fraction | None = None,
    pixel_format: str | None = None,
) -> Choice:
    """The best mode that has exactly the requested values.

    Without a request the order is: smooth (`SMOOTH_FPS`) before large, then nearest to 1280x720, then nearest to
    30 fps, then uncompressed.

    Args:
        modes: all modes of the camera.
        size: width and height, pixels.
        fps: frames per second; 30, 29.97 and 30000/1001 all mean the same.
        pixel_format: V4L2's four characters or FFmpeg's name (`YUYV`, `yuyv422`, `MJPG`, `mjpeg`).

    Raises:
        NotOfferedError: the camera has no such mode.
    """
    usable = [mode for mode in modes if mode.usable]
    if not usable:
        raise NotOfferedError(f"offers no pixel format that can be read, only {_formats(modes) or 'none at all'}")
    wanted_format = None if pixel_format is None else v4l2_name(pixel_format)
    fitting = [mode for mode in usable if wanted_format in (None, mode.pixel_format)]
    if not fitting:
        raise NotOfferedError(f"does not offer {pixel_format}; it offers {_formats(usable)}")
    with_size = [mode for mode in fitting if size in (None, (mode.width, mode.height))]
    if not with_size:
        assert size is not None
        raise NotOfferedError(f"does not offer {size[0]}x{size[1]}; nearest: {_nearest_sizes(fitting, size)}")
    choices = [
        Choice(mode.pixel_format, mode.width, mode.height, rate)
        for mode in with_size
        for rate in (mode.rates_fps or (fps,))
        if fps is None or rate is None or same_rate(rate, fps)
    ]
    if not choices:
        assert fps is not None
        raise NotOfferedError(f"does not offer {rates_text([fps])} fps; nearest: {_nearest_rates(with_size, fps)}")
    return min(choices, key=lambda choice: _rank(choice, float(fps or PREFERRED_FPS)))


def same_rate(a: Fraction, b: Fraction) -> bool:
    """Whether two rates are the same in common notation: 30, 29.97 and 30000/1001 are."""
    return abs(a - b) <= Fraction(2, 1000) * b


def v4l2_name(pixel_format: str) -> str:
    """V4L2's four characters of a format that is named by V4L2 or FFmpeg."""
    own = {ffmpeg: name for name, ffmpeg in RAW_FORMATS.items()} | {"mjpeg": "MJPG"}
    return own.get(pixel_format.lower(), pixel_format.upper())


def rates_text(rates: Iterable[Fraction]) -> str:
    """Rates in common notation: `30, 29.97`."""
    return ", ".join(f"{float(rate):.4g}" for rate in rates)


def _rank(choice: Choice, target_fps: float) -> tuple[bool, float, float, int]:
    rate = target_fps if choice.fps is None else float(choice.fps)
    area = choice.width * choice.height / (PREFERRED_SIZE[0] * PREFERRED_SIZE[1])
    return (
        rate < min(SMOOTH_FPS, target_fps * 0.99),
        abs(math.log(area)),
        abs(rate - target_fps),
        _ORDER[choice.pixel_format],
    )


def _formats(modes: Sequence[Mode]) -> str:
    return ", ".join(dict.fromkeys(mode.pixel_format for mode in modes))


def _nearest_sizes(modes: Sequence[Mode], size: tuple[int, int]) -> str:
    sizes = {(mode.width, mode.height) for mode in modes}
    # In logarithms: half the width is as far away as twice the width.
    nearest = sorted(sizes, key=lambda s: math.hypot(math.log(s[0] / size[0]), math.log(s[1] / size[1])))
    return ", ".join(f"{width}x{height}" for width, height in nearest[:3])


def _nearest_rates(modes: Sequence[Mode], fps: Fraction) -> str:
    by_distance = sorted(modes, key=lambda mode: min(abs(rate - fps) for rate in mode.rates_fps))
    lines = dict.fromkeys(
        f"{float(min(mode.rates_fps, key=lambda rate: abs(rate - fps))):.4g} fps at {mode.width}x{mode.height}"
        for mode in by_distance
    )
    return ", ".join(list(lines)[:3])
