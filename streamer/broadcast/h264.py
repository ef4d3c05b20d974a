"""The H.264 encoder of a camera: each frame is encoded and cut into RTP payloads once, for all viewers.

Used by one thread at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from streamer.broadcast.shown import CLOCK_HZ, ShownFrame
from streamer.config.web import LiveVideoSettings
from streamer.interfaces import StreamInfo
from streamer.sinks.encoding.fit import PictureFit
from streamer.values import colour

PIXEL_FORMAT = "yuv420p"
_MATRIX_CODES = {"bt709": 1, "fcc": 4, "bt601": 6, "smpte240m": 7, "bt2020": 9}
_UNSPECIFIED = 2
_ASPECT = 9 / 16
_RATE_FACTOR = 24
# The decoder's buffer: a keyframe may take as many bits as this time of the bit rate.
_BUFFER_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFrame:
    """An encoded frame.

    Attributes:
        payloads: of its RTP packets, in order (RFC 6184).
        rtp: their timestamp.
        keyframe: it needs no earlier frame.
        size: its length in bytes.
    """

    payloads: tuple[bytes, ...]
    rtp: int
    keyframe: bool
    size: int


class H264Encoder:
    """Encodes frames as constrained baseline H.264: no B-frames, one slice, keyframes only where they are asked for.

    It adapts to a change of the frame size, format or colour with a keyframe.

    Args:
        settings: of the live video.
        annotated: encode frames with the boxes on them, where these are drawn.
    """

    def __init__(self, settings: LiveVideoSettings, *, annotated: bool = False) -> None:
        from aiortc.codecs.h264 import H264Encoder as Packetizer  # here: it imports all codecs, which takes 0.2 s

        self._settings = settings
        self._annotated = annotated
        self._packetizer = Packetizer()
        self._codec: VideoCodecContext | None = None
        self._fit: PictureFit | None = None
        self._shape: tuple[object, ...] = ()
        self._last_ticks = -1
        self._needs_keyframe = False

    def make(self, frame: ShownFrame, *, fresh: bool) -> EncodedFrame | None:
        """See `streamer.broadcast.feed.Maker`."""
        self._needs_keyframe |= fresh
        if frame.ticks <= self._last_ticks:
            return None
        self._last_ticks = frame.ticks
        source = frame.scene.frame
        ratio = source.sample_aspect_ratio or Fraction(1)
        picture = frame.scene.shown if self._annotated else source.picture
        encoded = self.encode(picture, frame.ticks, ratio, fps=frame.scene.fps, keyframe=self._needs_keyframe)
        self._needs_keyframe = encoded is None and self._needs_keyframe
        return encoded

    def encode(
        self,
        picture: av.VideoFrame,
        ticks: int,
        ratio: Fraction = Fraction(1),
        *,
        fps: float = 0.0,
        keyframe: bool = False,
    ) -> EncodedFrame | None:
        """Encode a picture. None if the encoder gave nothing.

        Args:
            picture: of any size and format; it is not changed.
            ticks: its time on a clock of `CLOCK_HZ`, larger than that of the picture before.
            ratio: width of a displayed pixel by its height.
            fps: of the pictures, 0 if unknown; the limit of the bit rate is met at this rate.
            keyframe: it must not need earlier frames.
        """
        # The matrix, not its tag: PyAV (18.1) changes the tags of a frame while another thread converts it.
        shape = picture.width, picture.height, picture.format.name, colour.matrix_of(picture), ratio
        if shape != self._shape:
            self._open(picture, ratio, fps)
            self._shape = shape
        assert self._codec is not None
        assert self._fit is not None
        fitted = self._fit(picture, ratio)
        fitted.pts, fitted.time_base = ticks, Fraction(1, CLOCK_HZ)
        fitted.pict_type = PictureType.I if keyframe else PictureType.NONE
        packets = self._codec.encode(fitted)
        if not packets:
            return None
        payloads = [payload for packet in packets for payload in self._packetizer.pack(packet)[0]]
        size = sum(packet.size for packet in packets)
        return EncodedFrame(tuple(payloads), ticks % (1 << 32), any(packet.is_keyframe for packet in packets), size)

    def close(self) -> None:
        """Release the encoder."""
        self._codec = self._fit = None
        self._shape = ()

    def _open(self, picture: av.VideoFrame, ratio: Fraction, fps: float) -> None:
        width, height = live_size(picture.width * float(ratio), picture.height, self._settings.max_width)
        matrix = _MATRIX_CODES.get(colour.matrix_of(picture), _MATRIX_CODES["bt709"])
        tags = _UNSPECIFIED, _UNSPECIFIED, matrix, int(ColorRange.MPEG)
        # Its pixels are as good as square: sides are even numbers. The exact ratio avoids black bars.
        shape = ratio * Fraction(picture.width, picture.height) * Fraction(height, width)
        info = StreamInfo("live", width, height, PIXEL_FORMAT, Fraction(1, CLOCK_HZ), sample_aspect_ratio=shape)
        self._fit = PictureFit(info, PIXEL_FORMAT, (0, 0), tags, lambda _: None)
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, codec.pix_fmt = width, height, PIXEL_FORMAT
        codec.time_base = Fraction(1, CLOCK_HZ)
        rate = min(max(fps, 1.0), self._settings.max_fps) if fps else self._settings.max_fps
        codec.framerate = Fraction(rate).limit_denominator(1000)
        codec.colorspace, codec.color_range = matrix, int(ColorRange.MPEG)
        codec.profile = "Baseline"
        codec.thread_count = 1
        codec.gop_size = 1 << 30
        kbps = self._settings.bit_rate_kbps
        limits = f"vbv-maxrate={kbps}:vbv-bufsize={math.ceil(kbps * _BUFFER_S)}:keyint=infinite:scenecut=0"
        codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": str(_RATE_FACTOR),
            "forced-idr": "1",
            "x264-params": f"{limits}:force-cfr=1:repeat-headers=1",
        }
        self._codec = codec


def live_size(width: float, height: float, max_width: int) -> tuple[int, int]:
    """The size of the live video of a frame, with square pixels and even sides.

    No wider and no higher than `max_width`, and no more pixels than a frame of 16:9 of that width has: 1280 wide is
    then within level 3.1, which every browser decodes (ITU-T H.264, table A-1).

    Args:
        width, height: of the displayed frame, pixels.
        max_width: pixels.
    """
    scale = min(1.0, max_width / max(width, height), math.sqrt(max_width * max_width * _ASPECT / (width * height)))
    return max(2, int(width * scale / 2 + 0.001) * 2), max(2, int(height * scale / 2 + 0.001) * 2)
