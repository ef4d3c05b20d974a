"""Properties of a video stream in its container: rate, number of frames, duration.

Pure functions over an open container, called by the thread that opened it.
"""

from __future__ import annotations

import re
from fractions import Fraction

from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import ConfigError

MOST_FPS = 1000
"""A higher value is the clock of the time stamps, not a rate (MPEG-TS, RTP)."""
_UNTIMED = frozenset({
    "av1", "avs2", "avs3", "bitpacked", "cavsvideo", "dirac", "dnxhd", "evc", "h261", "h263", "h264", "hevc",
    "ingenient", "m4v", "mjpeg", "mjpeg_2000", "mpegvideo", "mpjpeg", "obu", "rawvideo", "v210", "v210x", "vc1", "vvc",
})  # fmt: skip
_MICROSECOND = Fraction(1, 1_000_000)  # AV_TIME_BASE of containers


def exact_fps(fps: str | float | Fraction) -> Fraction:
    """Frames per second as an exact fraction; a float is taken as it is printed.

    Raises:
        ConfigError: it is not a positive number.
    """
    try:
        exact = Fraction(fps if isinstance(fps, Fraction) else str(fps).strip())
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"fps must be a number such as 25 or 30000/1001, not {fps!r}") from error
    if not 0 < exact <= 1_000_000:
        raise ConfigError(f"fps must be above 0, not {fps}")
    return exact.limit_denominator(1_000_000)


def is_untimed(format_name: str) -> bool:
    """Whether a demuxer (FFmpeg's name) yields frames without times."""
    return format_name in _UNTIMED or format_name.endswith("_pipe")


def rate_of(stream: VideoStream) -> Fraction | None:
    """Frames per second from the codec header or the container, else None.

    FFmpeg assumes 25 for every elementary stream; the header of its codec may have the true rate.
    """
    if is_untimed(stream.container.format.name) and stream.codec_context is not None:
        own = stream.codec_context.framerate
        if own and own <= MOST_FPS:
            return Fraction(own)
    guess = stream.guessed_rate
    return stream.average_rate or (guess if guess and guess <= MOST_FPS else None)


def live_rate_of(stream: VideoStream) -> Fraction | None:
    """Frames per second of a live stream with a decoded frame, else None.

    FFmpeg analyses it too briefly for an estimate: it gives 4 for 2, and none if there is audio. The codec header has
    the rate.
    """
    own = stream.codec_context.framerate
    return stream.average_rate or (Fraction(own) if own and own <= MOST_FPS else rate_of(stream))


def container_kind(stream: VideoStream) -> str:
    """The first name of the demuxer: `mov` for the MP4 family, `matroska` also for WebM."""
    return stream.container.format.name.split(",", maxsplit=1)[0]


def indexed_packets(stream: VideoStream) -> int:
    """The number of packets in the container's index; 0 if there is no complete index.

    Only MP4 and AVI have one; it grows while a fragmented MP4 is read.
    """
    return len(stream.index_entries) if container_kind(stream) in ("mov", "avi") else 0


def frame_count(stream: VideoStream) -> int | None:
    """The number of frames according to the container, None if unknown.

    The header of an AVI counts ticks, not frames, so its index is used; in an MP4 hidden frames are excluded.
    """
    if not stream.frames:
        return None
    kind = container_kind(stream)
    if kind == "avi":
        listed = len(stream.index_entries)
        return listed if listed > 1 else stream.frames  # without an index it lists only the first packet
    if kind == "mov":
        return sum(not entry.is_discard for entry in stream.index_entries)
    return stream.frames


def tagged_duration(stream: VideoStream) -> Fraction | None:
    """Seconds in the `DURATION` tag of a Matroska stream, such as `00:00:04.000000000`."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def duration(stream: VideoStream) -> Fraction | None:
    """The duration of the stream, or else of the container, seconds; None if unknown."""
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    assert isinstance(stream.container, InputContainer)
    return tagged_duration(stream) or container_duration(stream.container)


def container_duration(container: InputContainer) -> Fraction | None:
    """The duration of the container in seconds; None if unknown."""
    return None if container.duration is None else container.duration * _MICROSECOND


def seconds(exact: Fraction | None) -> float | None:
    """A time or duration as a float; None stays None."""
    return None if exact is None else float(exact)
