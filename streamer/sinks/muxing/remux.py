"""Copies the readable packets of a file to another one of the same format, without decoding them.

Used by the threads that recover partial files and that complete files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from streamer.errors import StreamerError
from streamer.media.passthrough_streams import PassthroughStream, describe_streams
from streamer.sinks.muxing.compatibility import check_stream
from streamer.sinks.muxing.crash_safe import FRAGMENTED
from streamer.sinks.muxing.muxer import Muxer, write_failure
from streamer.sinks.muxing.tags import attachment_name, own_tags
from streamer.sinks.muxing.timing import movie_timescale

# These formats have no packet sizes, so the last packet may be incomplete.
_UNMEASURED = ("mpegts", "mpeg", "vob", "h264", "hevc", "m4v")


class UnreadableError(StreamerError):
    """The file has no readable frame."""


class StoppedError(StreamerError):
    """The copy was stopped."""


@dataclass(slots=True)
class CopiedStream:
    """A stream that is copied to another file.

    Attributes:
        added: the stream of the output.
        last_dts: of the last packet.
        waiting: the last packet of the input, if it may be incomplete.
    """

    added: Any
    last_dts: int | None = None
    waiting: Any = None


def remux(
    source: Path,
    target: Path,
    name: Path,
    options: Mapping[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Fraction:
    """Copy all streams of a file. Returns the duration of its video in seconds.

    A truncated file is copied up to its end.

    Args:
        source: the file to read.
        target: the file to write; it exists.
        name: of the output, for errors.
        options: of the muxer.
        stopped: whether to stop.

    Raises:
        UnreadableError: no frame can be read.
        StoppedError: `stopped` returned true.
        SinkError: the target cannot be written.
        SinkUnavailable: the container refuses a stream.
    """
    try:
        read = av.open(f"file:{source}", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableError(f"{getattr(error, 'strerror', None) or error}") from error
    with read:
        if not read.streams.video:
            raise UnreadableError("it has no video stream")
        muxer = Muxer(target, name)
        try:
            return _copy_all(read, muxer, name, dict(options or {}), stopped)
        except (av.error.FFmpegError, OSError, ValueError, TypeError) as error:
            raise write_failure(name, error) from error
        finally:
            muxer.abandon()


def _copy_all(read: Any, muxer: Muxer, name: Path, options: dict[str, str], stopped: Callable[[], bool]) -> Fraction:
    copies = add_streams(read, muxer)
    video = read.streams.video[0]
    muxer.start(muxer_options(read, muxer.kind, options))
    held = muxer.kind in _UNMEASURED
    end, frames = Fraction(0), 0
    for packet in _packets(read):
        if stopped():
            raise StoppedError(f"{name}: the copy was stopped")
        copy = copies.get(packet.stream.index)
        if copy is None or not packet.size or packet.is_corrupt:
            continue
        if packet.stream is video:
            frames += 1
            pts = packet.pts if packet.pts is not None else packet.dts or 0
            end = max(end, (pts + (packet.duration or 0)) * packet.time_base)
            if held:
                packet, copy.waiting = copy.waiting, packet
        if packet is not None:
            write_packet(muxer.container, packet, copy)
    if not frames:
        raise UnreadableError("it has no frame")
    muxer.finish()
    return end


def _packets(read: Any) -> Any:
    """The packets up to the end or to the first error."""
    try:
        yield from read.demux()
    except (av.error.FFmpegError, OSError):
        return


def add_streams(read: Any, muxer: Muxer) -> dict[int, CopiedStream]:
    """Give an output the streams, chapters and metadata of an open file; the streams by their index in it.

    Raises:
        ValueError, TypeError, FFmpegError: the container does not take them.
    """
    container = muxer.container
    container.metadata.update(own_tags(read.metadata))
    if read.chapters():
        container.set_chapters(read.chapters())
    copies = {}
    for stream, found in zip(describe_streams(read.streams), read.streams, strict=True):
        if stream.kind == "data" and stream.codec_tag == "tmcd":
            read.streams.video[0].metadata.setdefault("timecode", stream.tags.get("timecode", ""))
            continue
        if not _belongs(read, muxer.kind, stream):
            continue
        if stream.is_cover and muxer.kind == "matroska":
            container.add_attachment(*attachment_name(stream), _picture(read.name, found.index))
            continue
        is_video = stream.kind == "video" and not stream.is_cover
        added = stream.add_to(container, fps=(found.average_rate or Fraction(25)) if is_video else None)
        added.metadata.update(own_tags(stream.tags))
        copies[found.index] = CopiedStream(added)
    for found in read.streams.video[:1]:
        if found.index in copies and found.metadata.get("timecode"):
            copies[found.index].added.metadata["timecode"] = found.metadata["timecode"]
    return copies


def _belongs(read: Any, kind: str, stream: PassthroughStream) -> bool:
    """Whether a stream is copied; the muxer makes some itself, such as the titles of chapters."""
    if stream.kind in ("video", "audio"):
        return bool(stream.template and stream.codec)  # a fragmented MP4 has an empty track for each cover
    titles = stream.codec_tag == "text" or (stream.codec == "mov_text" and bool(read.chapters()))
    return not (titles and not stream.disposition & Disposition.default) and check_stream(kind, stream, ()).holds


def _picture(name: str, index: int) -> bytes:
    """The cover picture, which comes before all packets."""
    with av.open(name, metadata_errors="replace") as read:
        return next((bytes(packet) for packet in read.demux(read.streams[index]) if packet.size), b"")


def muxer_options(read: Any, kind: str, options: dict[str, str]) -> dict[str, str]:
    """The options of a muxer of this kind for the streams of an open file; `options` are changed and returned."""
    if kind in FRAGMENTED:
        rates = [sound.codec_context.sample_rate for sound in read.streams.audio]
        sounds = [Fraction(1, rate) for rate in rates if rate]
        options["movie_timescale"] = str(movie_timescale(read.streams.video[0].time_base, sounds))
        options["strict"] = "unofficial"  # without it, FFmpeg does not write the boxes st3d and sv3d
    if kind in ("matroska", "webm", "avi"):
        options["avoid_negative_ts"] = "disabled"  # as in the recording
    return options


def write_packet(container: Any, packet: Any, copy: CopiedStream) -> None:
    """Write a packet with times in the ticks of its own time base; its times are raised until they grow.

    Raises:
        OSError: the file cannot be written.
    """
    if packet.dts is None:
        packet.dts = (packet.pts or 0) if copy.last_dts is None else copy.last_dts + 1  # a cover has no time
    if packet.pts is None:
        packet.pts = packet.dts
    if copy.last_dts is not None and packet.dts <= copy.last_dts:
        packet.dts = copy.last_dts + 1
    copy.last_dts = packet.dts
    packet.pts = max(packet.pts, packet.dts)
    packet.stream = copy.added
    try:
        container.mux(packet)
    except (av.error.ArgumentError, av.error.InvalidDataError):  # the muxer refuses the packet
        return
