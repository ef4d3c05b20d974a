"""Webcams on macOS and Windows, through OpenCV. Small on purpose: there is no such machine to try it on.

Owned by the thread that reads the camera. OpenCV waits for a picture for as long as it likes there, so a camera that
stalls is noticed from outside only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import cv2
import numpy as np

from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.live.connection import LiveFrame

_TIME_BASE = Fraction(1, 1_000_000)


class OpenCVConnection:
    """An open camera; see `streamer.sources.live.connection.Connection`. Pictures are BGR, timed by their arrival.

    Args:
        index: of the camera, counted by the system.
        name: what to call it in messages.
        is_active: asked before the first picture is read.
        size, fps, pixel_format: asked of the driver, which gives what it likes.

    Raises:
        SourceUnavailable: no index.
        SourceLost: it cannot be opened, or gives no picture.
    """

    def __init__(
        self,
        index: int | None,
        name: str,
        is_active: Callable[[], bool],
        size: tuple[int, int] | None = None,
        fps: Fraction | None = None,
        pixel_format: str | None = None,
    ) -> None:
        if index is None:
            raise SourceUnavailable(f"{name}: cameras are named by their number here; try camera:0")
        if not is_active():
            raise SourceLost(f"{name}: given up while it was opened")
        self._name = name
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise SourceLost(f"{name}: cannot be opened; is it plugged in, free, and this program allowed to use it?")
        if pixel_format is not None and len(pixel_format) == 4:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*pixel_format.upper()))
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        if fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, float(fps))
        try:
            self._first = self._read()
        except BaseException:
            self._capture.release()
            raise

    @property
    def info(self) -> StreamInfo:
        """What the pictures are."""
        picture, fps = self._first.picture, self._capture.get(cv2.CAP_PROP_FPS)
        return StreamInfo(
            name=self._name,
            width=picture.width,
            height=picture.height,
            pixel_format=picture.format.name,
            time_base=_TIME_BASE,
            average_fps=Fraction(fps).limit_denominator(1001) if fps > 0 else None,
            live=True,
            jpeg_like=True,
        )

    def frames(self) -> Iterator[LiveFrame | Damage | None]:
        """See `streamer.sources.live.connection.Connection.pictures`; it never ends by itself."""
        yield self._first
        while True:
            yield self._read()

    def close(self) -> None:
        """Release it. Closing twice is fine."""
        self._capture.release()

    def _read(self) -> LiveFrame:
        read, picture = self._capture.read()
        if not read:
            raise SourceLost(f"{self._name}: gives no more pictures; see whether it is plugged in")
        arrived_s = time.monotonic()
        frame = av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="bgr24")
        return LiveFrame(frame, round(arrived_s / _TIME_BASE), _TIME_BASE, arrived_s)
