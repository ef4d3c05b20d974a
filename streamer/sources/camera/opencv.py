"""Webcams on macOS and Windows, through OpenCV. This module is untested and therefore small.

Owned by the thread that reads the camera. OpenCV waits for a frame without a time limit, so only another thread can
detect a stalled camera.
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
from streamer.sources.decode.stream_info import info_of
from streamer.sources.live.connection import LiveFrame

_TIME_BASE = Fraction(1, 1_000_000)


class OpenCVConnection:
    """An open camera; see `streamer.sources.live.connection.Connection`. Frames are BGR, timed by their arrival.

    Args:
        index: of the camera in the order of the system.
        name: of the camera, for messages.
        is_active: returns false if the source was stopped; called before the first frame is read.
        size, fps, pixel_format: requested from the driver, which may choose others.

    Raises:
        SourceUnavailable: `index` is None.
        SourceLost: it cannot be opened, or delivers no frame.
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
            raise SourceUnavailable(f"{name}: on this system a camera is named by its number; try camera:0")
        if not is_active():
            raise SourceLost(f"{name}: stopped while it was opened")
        self._name = name
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise SourceLost(f"{name}: cannot be opened; check that it is connected, not in use, and not blocked")
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
        """The properties of the frames."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        rate = Fraction(fps).limit_denominator(1001) if fps > 0 else None
        return info_of(self._first.picture, self._name, _TIME_BASE, average_fps=rate, live=True, jpeg_like=True)

    def frames(self) -> Iterator[LiveFrame | Damage | None]:
        """See `streamer.sources.live.connection.Connection.pictures`; it never ends without an error."""
        yield self._first
        while True:
            yield self._read()

    def close(self) -> None:
        """Release it. Closing twice is fine."""
        self._capture.release()

    def _read(self) -> LiveFrame:
        success, pixels = self._capture.read()
        if not success:
            raise SourceLost(f"{self._name}: delivers no more frames; check that it is connected")
        arrived_s = time.monotonic()
        frame = av.VideoFrame.from_ndarray(np.asarray(pixels, np.uint8), format="bgr24")
        return LiveFrame(frame, round(arrived_s / _TIME_BASE), _TIME_BASE, arrived_s)
