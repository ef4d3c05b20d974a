"""Converts the bytes of one camera frame to a `VideoFrame`: uncompressed frames are copied, JPEG is decoded.

Owned by the thread that reads the camera.
"""

from __future__ import annotations

import av
import numpy as np
from av.codec import CodecContext

from streamer.media.ffmpeg_log import reason
from streamer.sources.camera.modes import RAW_FORMATS

INCOMPLETE = "incomplete picture"
"""The damage of a frame whose end is missing."""
_END_OF_IMAGE = b"\xff\xd9"
_PACKED = {"YUYV": 2, "UYVY": 2, "YVYU": 2, "BGR3": 3, "RGB3": 3, "GREY": 1}
"""Bytes per pixel of the formats with one plane."""
_CHROMA = {"NV12": (1, 1, 2), "NV21": (1, 1, 2), "YU12": (2, 2, 2), "422P": (2, 2, 1)}
"""Of the other formats: number of chroma planes, divisor of the bytes per row, divisor of the number of rows."""


class BadFrameError(Exception):
    """Bytes that are not a frame; the message has the reason."""


class RawFrameReader:
    """Copies uncompressed frames of one size, so that the driver gets its buffers back.

    Args:
        pixel_format: V4L2's four characters, one of `RAW_FORMATS`.
        width, height: pixels.
        bytes_per_line: of the first plane, as the driver reports it; 0 for no padding.
        colour: tags of the frames: H.273's code of the matrix, FFmpeg's of the range.
    """

    def __init__(
        self, pixel_format: str, width: int, height: int, bytes_per_line: int = 0, colour: tuple[int, int] = (2, 0)
    ) -> None:
        self._shape = (width, height, RAW_FORMATS[pixel_format])
        self._matrix, self._range = colour
        used = width * _PACKED.get(pixel_format, 1)
        line = max(bytes_per_line, used)
        planes, narrower, lower = _CHROMA.get(pixel_format, (0, 1, 1))
        # V4L2 reports the padding of the first plane; the others are padded in proportion (the V4L2 format pages).
        chroma = (-(-height // lower), -(-used // narrower), line // narrower)
        self._planes = [(height, used, line), *[chroma] * planes]
        self._size = sum(rows * line for rows, _, line in self._planes)

    def read(self, data: memoryview) -> tuple[av.VideoFrame, str]:
        """A frame with its own memory, and its damage (empty if none).

        Raises:
            BadFrameError: bytes are missing.
        """
        if len(data) < self._size:
            raise BadFrameError(f"{len(data)} of {self._size} bytes")
        frame = av.VideoFrame(*self._shape)
        begin = 0
        for plane, (rows, used, line) in zip(frame.planes, self._planes, strict=True):
            target = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            target[:rows, :used] = np.frombuffer(data, np.uint8, rows * line, begin).reshape(rows, line)[:, :used]
            begin += rows * line
        if not frame.format.is_rgb:
            frame.colorspace, frame.color_range = self._matrix, self._range
        return frame, ""


class JpegFrameReader:
    """Decodes JPEG frames independently of each other."""

    def __init__(self) -> None:
        self._decoder = CodecContext.create("mjpeg", "r")
        self._decoder.thread_count = 1  # several threads would delay frames

    def read(self, data: memoryview) -> tuple[av.VideoFrame, str]:
        """A frame with its own memory, and its damage (empty if none).

        FFmpeg decodes a truncated JPEG without an error, so its end marker is checked. Cameras may pad behind it.

        Raises:
            BadFrameError: it cannot be decoded.
        """
        content = bytes(data)
        if not content:  # an empty packet ends the decoder
            raise BadFrameError("no bytes")
        try:
            frames = self._decoder.decode(av.Packet(content))
        except av.error.FFmpegError as error:
            raise BadFrameError(reason(error)) from error
        if not frames:
            raise BadFrameError("the decoder returned no frame")
        whole = content.rstrip(b"\0").endswith(_END_OF_IMAGE)
        return frames[-1], "" if whole else INCOMPLETE
