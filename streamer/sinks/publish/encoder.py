"""The encoder of a live stream: one packet for every frame, without delay.

Used by the thread that writes the stream sink. Each connection has a new encoder, so that it starts with a keyframe at
time 0.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.video.frame import PictureType

from streamer.config.output import OutputSettings
from streamer.errors import SinkError, SinkUnavailable
from streamer.interfaces import Scene, StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.sinks.encoding.encoders import SHORT_NAMES, open_encoder
from streamer.sinks.encoding.fit import PictureFit
from streamer.sinks.encoding.pixel_format import AUTO, PLAYERS
from streamer.sinks.muxing.timing import Timeline
from streamer.sinks.publish.target import StreamTarget

TIME_BASE = Fraction(1, 90_000)
"""The time base of RTP video (RFC 6184) and MPEG-TS."""
_LEAST_STEP = 90  # RTMP counts milliseconds
# At 1280x720 and 25 fps this allows 4.1 Mbit/s.
_BITS_PER_PIXEL = 0.18
_LEAST_RATE_BPS = 500_000
# A keyframe may take the bits of this duration; with a larger buffer it would arrive later over a slow connection.
_BUFFER_S = 0.5
_COMMON = {"bf": "0"}
# Options by which an encoder outputs each frame at once and makes the requested keyframes.
_LOW_DELAY: Mapping[str, Mapping[str, str]] = {
    "libx264": {"tune": "zerolatency", "forced-idr": "1", **_COMMON},
    "libx265": {"tune": "zerolatency", "forced-idr": "1", **_COMMON},
    "libvpx": {"lag-in-frames": "0"},
}
# Presets for low delay. libx264 at 1280x720, "Big Buck Bunny", crf 22: ultrafast takes 11 ms of CPU time per frame,
# superfast 15 ms with half the bits and 4 dB more. On two busy cores 95% of the packets arrived 22 to 27 ms after the
# frame, with superfast 64 to 116 ms (10 s over RTMP on one machine, two runs each).
_PRESETS = {"libx264": "ultrafast", "libx265": "ultrafast"}


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """An encoded packet of video or audio.

    Attributes:
        data: the encoded bytes.
        pts, dts: in ticks of `TIME_BASE`, or of the audio track's time base.
        is_key: whether decoding can begin here.
        stream: index in the connection, 0 for the video.
        duration: in ticks, 0 if unknown.
    """

    data: bytes
    pts: int
    dts: int
    is_key: bool
    stream: int = 0
    duration: int = 0


class StreamEncoder:
    """Encodes scenes for one connection.

    Args:
        target: of the stream.
        info: of the frames; those of another size are scaled to it.
        wanted: settings of the output.
        report: called with a line for everything that differs from the input.

    Attributes:
        codec: FFmpeg's name of the codec.
        size: width and height of the coded frames, pixels.
        rate_bps: the maximum bit rate, bits per second.
        info: as given.

    Raises:
        SinkUnavailable: an encoder that is unknown, does not open or is not carried by the target, or an unknown
            option.
    """

    def __init__(
        self, target: StreamTarget, info: StreamInfo, wanted: OutputSettings, report: Callable[[str], None]
    ) -> None:
        self.info = info
        self.rate_bps = _rate_bps(info, wanted)
        # Holds the stream only, nothing is written to it; with MPEG-TS the packets contain the headers.
        self._holder: Any = av.open(io.BytesIO(), "w", format="mpegts")
        settings = _settings(info, wanted, self.rate_bps, target.key_frame_s)
        opened = open_encoder(self._holder, info, settings, TIME_BASE)
        self._stream = opened.stream
        context = opened.stream.codec_context
        self.codec: str = context.codec.canonical_name
        if self.codec not in target.codecs:
            raise SinkUnavailable(
                f"{target.name} cannot carry {self.codec} video; set the codec to one of {', '.join(target.codecs)}"
            )
        self.size: tuple[int, int] = context.width, context.height
        for line in opened.notes:
            report(line)
        self._fit = PictureFit(info, context.pix_fmt, opened.padding, opened.colour, report)
        self._key_ticks = round(target.key_frame_s / TIME_BASE)
        self._timeline: Timeline | None = None
        self._last_key: int | None = None
        self._last = -_LEAST_STEP

    @property
    def offset(self) -> Fraction | None:
        """Added to media time to get the time of the connection, seconds; None before the first scene."""
        return None if self._timeline is None else self._timeline.offset * TIME_BASE

    def encode(self, scene: Scene, start_s: float = 0.0, *, key: bool = False) -> list[EncodedPacket]:
        """Encode a scene; returns the packets to send.

        Args:
            scene: to send, at its media time if that increases.
            start_s: time of the first scene in the connection, seconds; ignored for later ones.
            key: make a keyframe.

        Raises:
            SinkError: the encoder failed.
        """
        ticks = round(scene.frame.pts * scene.frame.time_base / TIME_BASE)
        if self._timeline is None:
            self._timeline = Timeline(jump=round(1 / TIME_BASE), offset=round(start_s / TIME_BASE) - ticks)
        ticks = max(self._timeline.place(ticks), self._last + _LEAST_STEP)
        picture = scene.shown
        return self._encode(self._fit(picture, scene.frame.sample_aspect_ratio), ticks, key=key)

    def encode_blank(self) -> list[EncodedPacket]:
        """Encode a black frame at time 0, to open a connection before there is a scene."""
        black = av.VideoFrame(self.info.width, self.info.height, "rgb24")
        for plane in black.planes:
            plane.update(bytes(plane.buffer_size))
        return self._encode(self._fit(black), 0)

    def _encode(self, frame: av.VideoFrame, ticks: int, *, key: bool = False) -> list[EncodedPacket]:
        self._last = ticks
        frame.pts, frame.time_base = ticks, TIME_BASE
        if key or self._last_key is None or ticks - self._last_key >= self._key_ticks:
            # By media time: frames may be dropped, so their count does not give the time between keyframes.
            frame.pict_type = PictureType.I
            self._last_key = ticks
        try:
            packets = self._stream.encode(frame)
        except av.error.FFmpegError as error:
            raise SinkError(f"the encoder of the stream failed: {reason(error)}; choose another codec") from error
        return [EncodedPacket(bytes(one), one.pts, one.dts, one.is_keyframe) for one in packets]


def _rate_bps(info: StreamInfo, wanted: OutputSettings) -> int:
    if wanted.bit_rate_kbps is not None:
        return wanted.bit_rate_kbps * 1000
    fps = float(min(info.average_fps or 25, 60))
    return max(round(info.width * info.height * fps * _BITS_PER_PIXEL), _LEAST_RATE_BPS)


def _settings(info: StreamInfo, wanted: OutputSettings, rate_bps: int, key_frame_s: float) -> OutputSettings:
    """The settings, with the defaults of a live stream for what the user did not set."""
    encoder = SHORT_NAMES.get(wanted.codec or "h264", wanted.codec or "h264")
    fps = float(info.average_fps or 25)
    options = {
        "maxrate": str(rate_bps),
        "bufsize": str(round(rate_bps * _BUFFER_S)),
        "g": str(max(round(key_frame_s * fps), 1)),
        **_LOW_DELAY.get(encoder, _COMMON),
    }
    if wanted.bit_rate_kbps is not None or encoder not in _PRESETS:
        options["b"] = str(rate_bps)
    return wanted.model_copy(
        update={
            "crf": None,
            "preset": wanted.preset or _PRESETS.get(encoder),
            "options": options | wanted.options,
            # Stream players and browsers support 4:2:0 only.
            "pixel_format": PLAYERS if wanted.pixel_format == AUTO else wanted.pixel_format,
            "threads": 0,
        }
    )
