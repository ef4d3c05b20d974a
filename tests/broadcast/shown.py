"""Frames that show their number, and a decoder for the RTP payloads that an encoder makes of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from aiortc.codecs.h264 import h264_depayload

from streamer.broadcast.h264 import EncodedFrame
from streamer.broadcast.shown import CLOCK_HZ, ShownFrame
from streamer.interfaces import Scene
from tests.clips import read_number
from tests.sinks import scenes

SIZE = (320, 240)
FPS = 15


def scene(number: int, size: tuple[int, int] = SIZE, **more: Any) -> Scene:
    """A scene that shows its number, with one track if `count=1` is given."""
    return scenes.scene(number, number, size=size, time_base=Fraction(1, FPS), **more)


def shown(number: int, size: tuple[int, int] = SIZE, **more: Any) -> ShownFrame:
    """The same as a frame for viewers, at regular times."""
    return ShownFrame(scene(number, size, **more), number * CLOCK_HZ // FPS, number)


class Decoder:
    """What a browser does with the payloads of each frame."""

    def __init__(self) -> None:
        self._codec: Any = av.CodecContext.create("h264", "r")
        self._codec.options = {"flags": "low_delay"}

    def __call__(self, frame: EncodedFrame) -> av.VideoFrame:
        """The picture of a frame, which the decoder must give at once."""
        (picture,) = self._codec.decode(av.Packet(b"".join(map(h264_depayload, frame.payloads))))
        assert isinstance(picture, av.VideoFrame)
        return picture

    def number(self, frame: EncodedFrame) -> int:
        """The number that it shows."""
        return read_number(self(frame))


def parameters(frame: EncodedFrame) -> bytes:
    """The first bytes of the sequence parameter set: profile, constraints, level (ITU-T H.264, 7.3.2.1.1)."""
    data = b"".join(map(h264_depayload, frame.payloads))
    at = next(at for at in range(len(data)) if data[at : at + 4] == b"\0\0\0\1" and data[at + 4] & 0x1F == 7)
    return data[at + 5 : at + 8]
