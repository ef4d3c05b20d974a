"""Webcams on Linux: opening one, and its pictures as they come.

Owned by the thread that reads the camera. A thread is enough, no process: every wait for a picture
is a poll with a deadline.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.sources.camera.conversion import BadFrameError, JpegFrameReader, RawFrameReader
from streamer.sources.camera.devices import not_allowed, those_here
from streamer.sources.camera.modes import (
    JPEG_FORMATS,
    RAW_FORMATS,
    Choice,
    NotOfferedError,
    choose_mode,
    rates_text,
    same_rate,
)
from streamer.sources.camera.v4l2_abi import CAP_VIDEO_CAPTURE_MPLANE
from streamer.sources.camera.v4l2_device import Captured, CaptureDevice, Granted
from streamer.sources.live.connection import POLL_S, LiveFrame

logger = logging.getLogger(__name__)

FIRST_PICTURE_S = 5.0
"""How long a camera may take to its first picture, switching the sensor on included."""
OLDEST_S = 2.0
"""A driver's time that is further back than this, or ahead of now, is not believed."""
_TIME_BASE = Fraction(1, 1_000_000)
_GONE = frozenset({errno.ENODEV, errno.ENXIO})


class V4L2Connection:
    """An open camera; see `streamer.sources.live.connection.Connection`.

    Pictures are tagged with the driver's time in microseconds as `pts`. Where that time is of the monotonic clock and
    can be true, it is `arrived_s` too: when the driver had the picture, or began to have it.

    Args:
        path: of the device.
        name: what to call it in messages.
        is_active: asked while the first picture is waited for.
        size, fps, pixel_format: see `choose_mode`.

    Raises:
        SourceUnavailable: there is no such camera, it is not allowed, or does not offer what is asked for.
        SourceLost: it is in use, gives no picture, or nobody wants it any more.
    """

    def __init__(
        self,
        path: str,
        name: str,
        is_active: Callable[[], bool],
        size: tuple[int, int] | None = None,
        fps: Fraction | None = None,
        pixel_format: str | None = None,
    ) -> None:
        self._name = name
        self._device = _open_device(path, name)
        try:
            choice = _choose(self._device, name, size, fps, pixel_format)
            self._granted = self._start(path, choice)
            self._pictures: RawFrameReader | JpegFrameReader = _maker(self._granted, name)
            self._first = self._wait_for_first(is_active)
        except BaseException:
            self._device.close()
            raise
        _tell_differences(name, choice, self._granted)
        self._info = _describe(name, self._granted, self._first)

    @property
    def info(self) -> StreamInfo:
        """What the pictures are."""
        return self._info

    def frames(self) -> Iterator[LiveFrame | Damage | None]:
        """See `streamer.sources.live.connection.Connection.pictures`; it never ends by itself."""
        yield self._first
        while True:
            yield from self._read()

    def close(self) -> None:
        """Stop it. Closing twice is fine."""
        self._device.close()

    def _start(self, path: str, choice: Choice) -> Granted:
        try:
            granted = self._device.configure(choice)
            self._device.start()
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise SourceLost(f"{self._name}: {_in_use(path)}", "busy") from error
            if error.errno == errno.ENOSPC:
                raise SourceLost(
                    f"{self._name}: too little USB bandwidth; use another port, or ask for MJPG or a smaller size",
                    "bandwidth",
                ) from error
            raise SourceLost(f"{self._name}: cannot be started ({reason(error)})") from error
        return granted

    def _wait_for_first(self, is_active: Callable[[], bool]) -> LiveFrame:
        until_s = time.monotonic() + FIRST_PICTURE_S
        while is_active():
            for item in self._read():
                if isinstance(item, LiveFrame):
                    return item
            if time.monotonic() >= until_s:
                raise SourceLost(
                    f"{self._name}: gives no picture for {FIRST_PICTURE_S:g} s; plug it in again", "no picture"
                )
        raise SourceLost(f"{self._name}: given up while it was opened")

    def _read(self) -> Iterator[LiveFrame | Damage | None]:
        """What one wait gives: a picture and what was missed before it, or None."""
        try:
            captured = self._device.read(POLL_S)
            if captured is None:
                yield None
                return
            arrived_s = _arrival(captured)
            missed, faulty, began_s = captured.missed, captured.faulty, time.monotonic()
            try:
                picture, damage = self._pictures.picture(captured.data)
                problem = ""
            except BadFrameError as error:
                problem = str(error)
            finally:
                self._device.give_back(captured)
        except OSError as error:
            if error.errno in _GONE:
                raise SourceLost(f"{self._name}: was unplugged", "unplugged") from error
            raise SourceLost(f"{self._name}: failed ({reason(error)})") from error
        if missed:
            yield Damage(
                "camera overrun", missed, "pictures came faster than they were fetched, or the driver lost them"
            )
        if problem:
            yield Damage("decode error", 1, problem)
            return
        pts = round((captured.time_s if captured.time_s is not None else arrived_s) / _TIME_BASE)
        decode_s = time.monotonic() - began_s
        damage = damage or ("camera error" if faulty else "")
        yield LiveFrame(picture, pts, _TIME_BASE, arrived_s, decode_s, damage=damage)


def _open_device(path: str, name: str) -> CaptureDevice:
    try:
        device = CaptureDevice(path)
    except FileNotFoundError as error:
        raise SourceUnavailable(f"{name}: there is no {path}; {those_here()}", "missing") from error
    except PermissionError as error:
        raise SourceUnavailable(f"{name}: {not_allowed(path)}", "not allowed") from error
    except OSError as error:
        if error.errno in _GONE:
            raise SourceLost(f"{name}: is unplugged", "unplugged") from error
        if error.errno == errno.EBUSY:
            raise SourceLost(f"{name}: {_in_use(path)}", "busy") from error
        # A file, a folder or another kind of device.
        raise SourceUnavailable(f"{name}: is no camera ({reason(error)}); {those_here()}") from error
    if not device.captures:
        planes = bool(device.capabilities & CAP_VIDEO_CAPTURE_MPLANE)
        device.close()
        what = "pictures in several memory planes, which are not supported" if planes else "no pictures"
        raise SourceUnavailable(f"{name}: this node of {device.name} gives {what}; {those_here()}")
    return device


def _choose(
    device: CaptureDevice, name: str, size: tuple[int, int] | None, fps: Fraction | None, pixel_format: str | None
) -> Choice:
    try:
        return choose_mode(device.modes(size), size=size, fps=fps, pixel_format=pixel_format)
    except NotOfferedError as error:
        raise SourceUnavailable(f"{name}: {device.name} {error} (all: probe cameras)", "not offered") from error
    except OSError as error:
        raise SourceLost(f"{name}: does not tell what it offers ({reason(error)})") from error


def _maker(granted: Granted, name: str) -> RawFrameReader | JpegFrameReader:
    if granted.pixel_format in JPEG_FORMATS:
        return JpegFrameReader()
    if granted.pixel_format not in RAW_FORMATS:
        raise SourceUnavailable(f"{name}: gives {granted.pixel_format}, which cannot be read", "not offered")
    colour = (granted.matrix, granted.range)
    return RawFrameReader(granted.pixel_format, granted.width, granted.height, granted.bytes_per_line, colour)


def _tell_differences(name: str, choice: Choice, granted: Granted) -> None:
    asked, given = ((mode.pixel_format, mode.width, mode.height) for mode in (choice, granted))
    if asked != given:
        logger.warning("%s: gives %s %dx%d although it offers %s %dx%d", name, *given, *asked)
    if choice.fps is not None and granted.fps is not None and not same_rate(granted.fps, choice.fps):
        logger.warning("%s: gives %s fps although it offers %s", name, *map(rates_text, ([granted.fps], [choice.fps])))


def _describe(name: str, granted: Granted, first: LiveFrame) -> StreamInfo:
    picture = first.picture
    return StreamInfo(
        name=name,
        width=picture.width,
        height=picture.height,
        pixel_format=picture.format.name,
        time_base=_TIME_BASE,
        average_fps=granted.fps,
        live=True,
        colour=(2, 2, int(picture.colorspace), int(picture.color_range)),
        field_order=1,
        jpeg_like=True,
    )


def _arrival(captured: Captured) -> float:
    now_s = time.monotonic()
    sane = captured.time_s is not None and now_s - OLDEST_S < captured.time_s <= now_s
    return captured.time_s if sane and captured.time_s is not None else now_s


def _in_use(path: str) -> str:
    return f"another program is using it; close that one (fuser -v {path} names it)"
