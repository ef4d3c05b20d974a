"""Writes the packets of a file into another one of the same kind, as far as they can be read, without decoding them.

Used by the thread that finishes what a killed process left, and by the one that completes files.
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

# They do not tell how long a packet is, so the last one may be half of a picture.
_UNMEASURED = ("mpegts", "mpeg", "vob", "h264", "hevc", "m4v")


class UnreadableError(StreamerError):
    """There is no picture that can be read."""


class StoppedError(StreamerError):
    """It was not to go on."""


@dataclass(slots=True)
class _Copy:
    """A stream on its way."""

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
    """Copy all streams of a file: how long its video lasts, seconds.

    A file that ends in the middle of something is read up to there.

    Args:
        source: to read.
        target: to write; it exists.
        name: what to call it in errors.
        options: of the muxer.
        stopped: whether to give up.

    Raises:
        UnreadableError: no picture can be read.
        StoppedError: it was told to stop.
        SinkError: it could not be written.
        SinkUnavailable: the container refuses what was read.
    """
    try:
        read = av.open(f"file:{source}", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableError(f"{getattr(error, 'strerror', None) or error}") from error
    with read:
        if not read.streams.video:
            raise UnreadableError("there is no video in it")
        muxer = Muxer(target, name)
        try:
            return _copy_all(read, muxer, name, dict(options or {}), stopped)
        except (av.error.FFmpegError, OSError, ValueError, TypeError) as error:
            raise write_failure(name, error) from error
        finally:
            muxer.abandon()


def _copy_all(read: Any, muxer: Muxer, name: Path, options: dict[str, str], stopped: Callable[[], bool]) -> Fraction:
    copies = _add_streams(read, muxer)
    video = read.streams.video[0]
    muxer.start(_muxer_options(read, muxer.kind, options))
    held = muxer.kind in _UNMEASURED
    end, pictures = Fraction(0), 0
    for packet in _packets(read):
        if stopped():
            raise StoppedError(f"{name}: not finished yet")
        copy = copies.get(packet.stream.index)
        if copy is None or not packet.size or packet.is_corrupt:
            continue
        if packet.stream is video:
            pictures += 1
            pts = packet.pts if packet.pts is not None else packet.dts or 0
            end = max(end, (pts + (packet.duration or 0)) * packet.time_base)
            if held:
                packet, copy.waiting = copy.waiting, packet
        if packet is not None:
            _write(muxer.container, packet, copy)
    if not pictures:
        raise UnreadableError("there is no picture in it")
    muxer.finish()
    return end


def _packets(read: Any) -> Any:
    """The packets up to where the file ends or makes no sense any more."""
    try:
        yield from read.demux()
    except (av.error.FFmpegError, OSError):
        return


def _add_streams(read: Any, muxer: Muxer) -> dict[int, _Copy]:
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
        copies[found.index] = _Copy(added)
    for found in read.streams.video[:1]:
        if found.index in copies and found.metadata.get("timecode"):
            copies[found.index].added.metadata["timecode"] = found.metadata["timecode"]
    return copies


def _belongs(read: Any, kind: str, stream: PassthroughStream) -> bool:
    """Whether a stream is to be copied: what the muxer makes anew, as the titles of chapters, is not."""
    if stream.kind in ("video", "audio"):
        return bool(stream.template and stream.codec)  # fragments tell of a track of each cover, too
    titles = stream.codec_tag == "text" or (stream.codec == "mov_text" and bool(read.chapters()))
    return not (titles and not stream.disposition & Disposition.default) and check_stream(kind, stream, ()).holds


def _picture(name: str, index: int) -> bytes:
    """The picture of a cover, which comes before all packets."""
    with av.open(name, metadata_errors="replace") as read:
        return next((bytes(packet) for packet in read.demux(read.streams[index]) if packet.size), b"")


def _muxer_options(read: Any, kind: str, options: dict[str, str]) -> dict[str, str]:
    if kind in FRAGMENTED:
        rates = [sound.codec_context.sample_rate for sound in read.streams.audio]
        sounds = [Fraction(1, rate) for rate in rates if rate]
        options["movie_timescale"] = str(movie_timescale(read.streams.video[0].time_base, sounds))
        options["strict"] = "unofficial"  # FFmpeg writes the boxes st3d and sv3d only then
    if kind in ("matroska", "webm", "avi"):
        options["avoid_negative_ts"] = "disabled"  # as when it was recorded
    return options


def _write(container: Any, packet: Any, copy: _Copy) -> None:
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
    except (av.error.ArgumentError, av.error.InvalidDataError):  # what the muxer does not take
        return
