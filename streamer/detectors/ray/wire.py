"""Frames and detections as bytes, between a host and a pool. Pure functions for any thread.

A frame travels as the RGB picture that the detector in the pool asks for, in its size: the host converts it from the
decoder's frame, as it does for a detector of its own, so the boxes are the same. The planes of the decoder's frame
would not do: their place of the chroma samples cannot be set from Python, and scaling depends on it. And RGB in the
size of the model is smaller: 0.27 MB for the starter, where the planes of 1280x720 have 1.4 MB.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from email.message import Message
from fractions import Fraction
from typing import Literal, NamedTuple, NoReturn, Self

import numpy as np
import numpy.typing as npt

from streamer.errors import DetectorError
from streamer.values.frame import BgrArray, Frame, Plane, RgbArray, bgr_of
from tracking.types import Detections

VERSION = 1
"""Of this format. A pool of another version is refused."""
DETECT, READY = "/detect", "/ready"
"""Where a frame is sent, and where a host asks whether the pool can take one."""
FRAME = "X-Frame"
LIMIT = "X-Limit-S"
"""How long the sender waits for the detections; a frame that has waited longer is not detected."""
SENDER = "X-Sender"
"""Identifies the run of a host, for fair turns."""
NEEDS = "X-Needs"
"""The picture that the detector asks for, in an answer without detections."""
OUTPUT = "X-Output"
"""1 in the answer to a frame for which the model gave numbers that are no detections."""
TOP_SCORE = "X-Top-Score"
_ROW_BYTES = 6 * 4
"""Four coordinates, a score and a label."""
_CHANNELS = 3

Bytes = npt.NDArray[np.uint8]


class Conversion(NamedTuple):
    """An RGB picture of a frame.

    Attributes:
        kind: `rgb` for the colours of a pixel side by side (`Frame.rgb`), `planes` for one plane each
            (`Frame.rgb_planes`).
        width, height: in pixels.
    """

    kind: Literal["rgb", "planes"]
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The conversion that was written as `rgb 300 300`.

        Raises:
            ValueError: it is none.
        """
        kind, width, height = text.split()
        if kind not in ("rgb", "planes"):
            raise ValueError(f"no conversion {text!r}")
        return cls(kind, int(width), int(height))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.kind} {self.width} {self.height}"

    @property
    def size_bytes(self) -> int:
        """Of the picture."""
        return _CHANNELS * self.width * self.height

    def of(self, frame: Frame) -> Sequence[memoryview]:
        """The picture, in one piece or plane by plane."""
        size = (self.width, self.height)
        parts = (frame.rgb(size),) if self.kind == "rgb" else frame.rgb_planes(size)
        return [np.ascontiguousarray(part).reshape(-1).data for part in parts]


class NeedsConversion(Exception):
    """The detector asks for another picture of the frame than was sent.

    Args:
        wanted: the picture.
    """

    def __init__(self, wanted: Conversion) -> None:
        super().__init__(str(wanted))
        self.wanted = wanted


class ReceivedFrame:
    """A frame in the pool: what a detector may read of a `Frame`, without the decoder's picture.

    Args:
        description: from `described`.
        content: the picture that was sent; empty if none was.

    Raises:
        ValueError: they are no frame.
    """

    def __init__(self, description: str, content: Bytes) -> None:
        try:
            told = json.loads(description)
            self.width, self.height = int(told["width"]), int(told["height"])
            self.index, self.pts = int(told["index"]), int(told["pts"])
            self.time_base = Fraction(told["time_base"])
            self.interlaced = bool(told["interlaced"])
            self._sent = Conversion.parse(told["sent"]) if told["sent"] else None
        except (AttributeError, KeyError, TypeError, ZeroDivisionError) as error:
            raise ValueError(f"no frame: {error}") from error
        if len(content) != (self._sent.size_bytes if self._sent else 0):
            raise ValueError(f"no frame: {len(content)} bytes are no picture of {told['sent'] or 'no size'}")
        self._content = content

    @property
    def time_s(self) -> float:
        """See `Frame.time_s`."""
        return float(self.pts * self.time_base)

    @property
    def picture(self) -> NoReturn:
        """The decoder's frame, which stays where it was decoded.

        Raises:
            DetectorError: always.
        """
        raise DetectorError("a detector in a pool gets RGB only; this one reads the decoder's frame, so run it locally")

    def rgb(self, size: tuple[int, int] | None = None) -> RgbArray:
        """See `Frame.rgb`.

        Raises:
            NeedsConversion: another picture was sent.
        """
        wanted = Conversion("rgb", *(size or (self.width, self.height)))
        return self._sent_as(wanted).reshape(wanted.height, wanted.width, _CHANNELS).copy()

    def rgb_planes(self, size: tuple[int, int]) -> tuple[Plane, Plane, Plane]:
        """See `Frame.rgb_planes`.

        Raises:
            NeedsConversion: another picture was sent.
        """
        wanted = Conversion("planes", *size)
        red, green, blue = self._sent_as(wanted).reshape(_CHANNELS, wanted.height, wanted.width)
        return red, green, blue

    def bgr(self) -> BgrArray:
        """See `Frame.bgr`."""
        return bgr_of(self.rgb())

    def _sent_as(self, wanted: Conversion) -> Bytes:
        if self._sent != wanted:
            raise NeedsConversion(wanted)
        return self._content


def described(frame: Frame, sent: Conversion | None) -> str:
    """The description of a frame, and of the picture that is sent of it; the value of a header."""
    told = {
        "width": frame.width,
        "height": frame.height,
        "index": frame.index,
        "pts": frame.pts,
        "time_base": str(frame.time_base),
        "interlaced": frame.interlaced,
        "sent": "" if sent is None else str(sent),
    }
    return json.dumps(told, separators=(",", ":"))


def packed(found: Detections) -> bytes:
    """The detections as exact float32 and int32 values, little-endian as on every machine that Ray runs on."""
    return found.boxes.tobytes() + found.scores.tobytes() + found.labels.tobytes()


def unpacked(content: bytes) -> Detections:
    """The detections that were packed.

    Raises:
        ValueError: they are none.
    """
    count, rest = divmod(len(content), _ROW_BYTES)
    if rest:
        raise ValueError(f"{len(content)} bytes are no detections")
    boxes = np.frombuffer(content, np.float32, 4 * count).reshape(count, 4)
    scores = np.frombuffer(content, np.float32, count, 16 * count)
    return Detections(boxes, scores, np.frombuffer(content, np.int32, count, 20 * count))


def top_score_of(headers: Message) -> float | None:
    """The highest score on the frame, also of what was not reported; None if the detector does not know it."""
    text = headers.get(TOP_SCORE)
    return None if text is None else float(text)
