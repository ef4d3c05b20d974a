"""Queries the modes of a V4L2 driver: formats, sizes, rates. Linux only; used by the thread that opened the device."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Iterator
from fractions import Fraction

from streamer.sources.camera import v4l2_abi as abi
from streamer.sources.camera.modes import Mode

Call = Callable[[int, ctypes.Structure], None]
"""An ioctl on the device: request and argument."""
UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOTTY})
"""Errors that mean the end of a list, or that the driver has no such list."""
_STANDARD_SIZES = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
_STANDARD_RATES = tuple(Fraction(rate) for rate in (120, 60, 50, 30, 25, 15, 10, 5))
_MAX_ENTRIES = 256
"""Per list. Real lists are shorter, but the list of a broken driver might never end."""


def offered_modes(call: Call, also: tuple[int, int] | None = None) -> list[Mode]:
    """Every format in every size. A range is represented by the usual values within it.

    Args:
        call: makes an ioctl on the device.
        also: a size to include if it lies within a range.

    Raises:
        OSError: ENODEV if the camera was unplugged.
    """
    return [
        Mode(abi.fourcc(pixel_format), width, height, tuple(sorted(rates, reverse=True)))
        for pixel_format in _formats(call)
        for width, height in dict.fromkeys(_sizes(call, pixel_format, also))
        for rates in [set(_rates(call, pixel_format, width, height))]
    ]


def sizes_in_range(limits: tuple[int, ...], also: tuple[int, int] | None) -> list[tuple[int, int]]:
    """The usual sizes within a range, its smallest and largest size, and `also` if it lies within.

    Args:
        limits: minimum, maximum and step of the width, then of the height; a step of 0 counts as 1.
    """
    least_w, most_w, step_w, least_h, most_h, step_h = limits
    wanted = [(least_w, least_h), *_STANDARD_SIZES, *([also] if also else []), (most_w, most_h)]
    return [
        (width, height)
        for width, height in dict.fromkeys(wanted)
        if least_w <= width <= most_w and (width - least_w) % max(step_w, 1) == 0
        if least_h <= height <= most_h and (height - least_h) % max(step_h, 1) == 0
    ]


def rates_in_range(shortest: Fraction, longest: Fraction) -> list[Fraction]:
    """The usual rates whose intervals lie within a range, and its ends; frames per second.

    Args:
        shortest, longest: interval in seconds, positive.
    """
    usual = [rate for rate in _STANDARD_RATES if shortest <= 1 / rate <= longest]
    return [1 / shortest, *usual, 1 / longest]


def _formats(call: Call) -> Iterator[int]:
    for index in range(_MAX_ENTRIES):
        entry = abi.FmtDesc(index=index, type=abi.CAPTURE)
        if not _has_entry(call, abi.VIDIOC_ENUM_FMT, entry):
            return
        yield entry.pixelformat


def _sizes(call: Call, pixel_format: int, also: tuple[int, int] | None) -> Iterator[tuple[int, int]]:
    for index in range(_MAX_ENTRIES):
        entry = abi.FrmSizeEnum(index=index, pixel_format=pixel_format)
        if not _has_entry(call, abi.VIDIOC_ENUM_FRAMESIZES, entry):
            break
        if entry.type != abi.DISCRETE:
            yield from sizes_in_range(tuple(entry.sizes), also)
            return
        yield entry.sizes[0], entry.sizes[1]
    else:
        return
    if index == 0:  # an old driver without a list: its current size, and the requested one as an attempt
        current = abi.Format(type=abi.CAPTURE)
        if _has_entry(call, abi.VIDIOC_G_FMT, current):
            yield current.fmt.pix.width, current.fmt.pix.height
        if also:
            yield also


def _rates(call: Call, pixel_format: int, width: int, height: int) -> Iterator[Fraction]:
    for index in range(_MAX_ENTRIES):
        entry = abi.FrmIvalEnum(index=index, pixel_format=pixel_format, width=width, height=height)
        if not _has_entry(call, abi.VIDIOC_ENUM_FRAMEINTERVALS, entry):
            return
        numbers = tuple(entry.fractions)
        if entry.type != abi.DISCRETE:
            if all(numbers[:4]):
                yield from rates_in_range(Fraction(*numbers[:2]), Fraction(*numbers[2:4]))
            return
        if all(numbers[:2]):
            yield Fraction(numbers[1], numbers[0])


def _has_entry(call: Call, request: int, argument: ctypes.Structure) -> bool:
    try:
        call(request, argument)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        raise
    return True
