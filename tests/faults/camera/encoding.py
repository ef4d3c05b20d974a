"""The camera's content, ready to be sent: an encoded frame, or a tone. Owned by the camera's event loop."""

from __future__ import annotations

import base64
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

import av
import numpy as np
from av.video.frame import PictureType

from tests.faults import counter
from tests.faults.camera.payloads import h264_payloads, h265_payloads, jpeg_payloads, nal_units
from tests.faults.camera.settings import SLOPPY, Settings


class Coded(NamedTuple):
    """A frame or an audio block in RTP payloads; the first `preamble` of them have only parameters."""

    payloads: list[bytes]
    preamble: int = 0


class Encoding(Protocol):
    """A stream of encoded frames or audio.

    Attributes:
        clock_hz: ticks per second of its RTP timestamps.
        payload_type: of its RTP packets.
        interval_s: from one frame or audio block to the next.
        description: its part of the session description (SDP), known after the first `take`.
    """

    clock_hz: int
    payload_type: int
    interval_s: float
    description: list[str]

    def take(self, number: int, ticks: int, *, is_key: bool) -> Coded:
        """The next frame or block."""
        ...


class ToneEncoding:
    """400 Hz in G.711 mu-law, as sent by a camera with its video switched off."""

    clock_hz = 8000
    payload_type = 0
    interval_s = 0.02

    def __init__(self) -> None:
        self.description = ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"]
        samples = np.sin(np.arange(160) * (2 * np.pi * 400 / self.clock_hz)) * 8000
        frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = self.clock_hz
        context: Any = av.CodecContext.create("pcm_mulaw", "w")
        context.sample_rate, context.format, context.layout = self.clock_hz, "s16", "mono"
        # 20 ms hold 8 whole periods, so repeating the block gives a tone without clicks.
        self._block = b"".join(bytes(packet) for packet in context.encode(frame))

    def take(self, number: int, ticks: int, *, is_key: bool) -> Coded:  # noqa: ARG002
        """One block of 20 ms."""
        return Coded([self._block])


class VideoEncoding:
    """Numbered frames (`tests.faults.counter`), encoded one by one without delay.

    Args:
        settings: codec, size and rate; H.264 and H.265 repeat their parameter sets at each keyframe.
    """

    clock_hz = 90000

    def __init__(self, settings: Settings) -> None:
        self.interval_s = 1 / settings.fps
        self.payload_type = 26 if settings.codec == "mjpeg" else 96
        self.description: list[str] = []
        self._codec = settings.codec
        self._size = settings.size
        self._fps = settings.fps
        self._extra = SLOPPY.get(settings.sloppy, b"")
        self._interlaced = settings.interlaced
        self._encoder = _encoder(settings)

    def take(self, number: int, ticks: int, *, is_key: bool) -> Coded:
        """Draw, encode and split one frame."""
        pixels = counter.draw(number, self._size)
        if self._interlaced:
            pixels = _woven(number, self._size, pixels)
        # In full range the same values have less contrast, but are read the same.
        frame = av.VideoFrame.from_ndarray(pixels, "yuvj420p" if self._codec == "mjpeg" else "yuv420p")
        frame.pts, frame.time_base = ticks, Fraction(1, self.clock_hz)
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        coded = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        if self._codec == "mjpeg":
            self.description = self._describe("JPEG")
            return Coded(jpeg_payloads(coded, self._size))
        units = nal_units(coded)
        is_h264 = self._codec == "h264"
        if is_key:
            self.description = self._describe_h264(units) if is_h264 else self._describe_h265(units)
        # Parameter sets and SEI; slices have types 1 to 5 in H.264, 0 to 31 in H.265. None needs two packets.
        if self._extra:
            units.insert(next(at for at, unit in enumerate(units) if unit[0] & 0x1F in (1, 5)), self._extra)
        preamble = sum(unit[0] & 0x1F > 5 if is_h264 else unit[0] >> 1 & 0x3F > 31 for unit in units)
        return Coded(h264_payloads(units) if is_h264 else h265_payloads(units), preamble)

    def _describe(self, name: str, *more: str) -> list[str]:
        kind = self.payload_type
        return [f"m=video 0 RTP/AVP {kind}", f"a=rtpmap:{kind} {name}/90000", *more, f"a=framerate:{self._fps:g}"]

    def _describe_h264(self, units: list[bytes]) -> list[str]:
        sets = [unit for unit in units if unit[0] & 0x1F in (7, 8)]
        sprop = ",".join(base64.b64encode(unit).decode() for unit in sets)
        profile = sets[0][1:4].hex()
        return self._describe(
            "H264", f"a=fmtp:96 packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sprop}"
        )

    def _describe_h265(self, units: list[bytes]) -> list[str]:
        sets = {unit[0] >> 1 & 0x3F: base64.b64encode(unit).decode() for unit in units}
        return self._describe("H265", f"a=fmtp:96 sprop-vps={sets[32]};sprop-sps={sets[33]};sprop-pps={sets[34]}")


def recording(settings: Settings) -> Encoding:
    """The encoding of a camera with these settings."""
    return ToneEncoding() if settings.codec == "audio" else VideoEncoding(settings)


def _encoder(settings: Settings) -> Any:
    """An encoder that returns each frame at once, makes keyframes only on request, and uses one thread."""
    context: Any = av.CodecContext.create(_ENCODERS[settings.codec], "w")
    context.width, context.height = settings.size
    context.pix_fmt = "yuvj420p" if settings.codec == "mjpeg" else "yuv420p"
    context.time_base = Fraction(1, VideoEncoding.clock_hz)
    context.framerate = Fraction(settings.fps).limit_denominator(1001)
    context.thread_count = 1
    context.options = _OPTIONS[settings.codec]
    if settings.interlaced:
        context.options = _AT_ONCE | {"crf": "18", "x264-params": "keyint=infinite:scenecut=0:interlaced=1:tff=1"}
    return context


def _woven(number: int, size: counter.Size, pixels: counter.UInt8Array) -> counter.UInt8Array:
    """A frame whose upper field shows the scene of one moment, and whose lower field shows that of the next.

    The strip with the number does not change. Each frame is two moments after the one before.
    """
    height = size[1]
    woven = counter.draw(2 * number, size)
    woven[1:height:2] = counter.draw(2 * number + 1, size)[1:height:2]
    strip_px = counter.strip_height_px(height)
    woven[:strip_px] = pixels[:strip_px]
    return woven


_ENCODERS = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg"}
_AT_ONCE = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"}
_OPTIONS = {
    "h264": _AT_ONCE | {"crf": "25", "x264-params": "keyint=infinite:scenecut=0"},
    "h265": _AT_ONCE
    | {"crf": "28", "x265-params": "keyint=-1:scenecut=0:pools=none:frame-threads=1:log-level=none:repeat-headers=1"},
    # RTP has no Huffman tables: use the standard ones.
    "mjpeg": {"huffman": "default", "qmin": "5", "qmax": "5"},
}
