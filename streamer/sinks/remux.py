"""Copies what a video file holds besides its video: audio, subtitles, data, pictures, attachments, chapters, tags.

Packets are copied as they are, as far as the output container takes them; what it does not take is told. Used by the
thread that owns the video sink.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.stream import Discard, Disposition

from streamer.sinks.tags import attachment_name, lost_chapters, lost_tags, moved_chapter, own_tags
from streamer.sinks.timing import Timeline

# Others drop a cover picture without a word, or show it as a video of one frame.
_COVER_CONTAINERS = frozenset({"mp4", "ipod", "matroska"})
_SLACK_S = 1  # streams are interleaved to about this; how far to look for packets up to the end of a cut run


class StreamCopy:
    """The other streams of one file on their way to an output.

    Args:
        path: local file.
        video_index: of the stream that is not copied, because the output has its own.
        say: is told what cannot be copied.

    Raises:
        av.error.FFmpegError, OSError: the file cannot be opened again.
    """

    def __init__(self, path: str, video_index: int, say: Callable[[str], None]) -> None:
        self._say = say
        self._input: Any = av.open(f"file:{path}", metadata_errors="replace")
        self._video: Any = self._input.streams[video_index]
        self._tags = own_tags(self._input.metadata)
        self._chapters = self._input.chapters()
        self._outputs: dict[int, Any] = {}
        self._input_tags: dict[int, dict[str, str]] = {}
        self._timelines: dict[int, Timeline] = {}
        self._covers: list[Packet[Any]] = []
        self._packets: Iterator[Packet[Any]] = iter(())
        self._pending: Packet[Any] | None = None
        self._shift = Fraction(0)
        self._lost = 0

    @property
    def constant_rate(self) -> bool:
        """Whether the video's frames are equally spaced, as far as the file's beginning shows."""
        rate = self._video.base_rate
        return rate is not None and rate == self._video.average_rate

    @property
    def time_bases(self) -> list[Fraction]:
        """Seconds per tick of the copied streams."""
        streams = (self._input.streams[index] for index in self._outputs)
        rates = (getattr(stream.codec_context, "sample_rate", 0) for stream in streams)
        return [Fraction(1, rate) for rate in rates if rate]

    def add_to(self, container: Any, video: Any) -> None:
        """Add streams, chapters and tags to an output container, before its header is written.

        Args:
            container: `av.container.OutputContainer`.
            video: its video stream, which gets the tags of the one that it stands for.
        """
        container.metadata.update(self._tags)
        video.metadata.update(own_tags(self._video.metadata))
        video.disposition = self._video.disposition & ~Disposition.attached_pic
        first = self._video.start_time
        early = max(-first * self._video.time_base, Fraction(0)) if first else Fraction(0)
        if self._chapters:
            container.set_chapters([moved_chapter(chapter, early) for chapter in self._chapters])
        covers = self._read_covers()
        for stream in self._input.streams:
            if stream.index == self._video.index or _is_chapter_text(stream, bool(self._chapters)):
                continue
            if stream.index in covers and container.format.name == "matroska":
                container.add_attachment(*attachment_name(stream), bytes(covers[stream.index]))
            elif not self._add_stream(container, stream):
                self._say(f"{container.format.name} cannot hold the {_described(stream)} of the input: left out")
            elif stream.index in covers:
                self._covers.append(covers[stream.index])

    def start(self, shift: Fraction) -> None:
        """Begin reading.

        Args:
            shift: seconds added to every time, as the video sink does to its frames.
        """
        self._shift = shift
        timed = [
            self._input.streams[index]
            for index in self._outputs
            if self._input.streams[index].type != "attachment"
            and not self._input.streams[index].disposition & Disposition.attached_pic
        ]
        for stream in self._input.streams:
            stream.discard = Discard.default if stream in timed else Discard.all
        for stream in timed:
            self._timelines[stream.index] = Timeline(jump=round(1 / stream.time_base))
        if timed:
            self._packets = self._input.demux(timed)

    def copy_until(self, container: Any, time_s: Fraction | None, *, last: bool = False) -> None:
        """Write all packets up to and including `time_s`.

        Args:
            container: the output, its header written.
            time_s: up to when, in the input's seconds; None for all that are left.
            last: nothing later will be asked for: look beyond a packet that is too late for others that are not.

        Raises:
            OSError: the disk refuses.
        """
        for cover in self._covers:
            self._write(container, cover)
        self._covers.clear()
        while (packet := self._next()) is not None:
            late = Fraction(0) if time_s is None else _time_of(packet) - time_s
            if late <= 0:
                self._write(container, packet)
            elif not last or late > _SLACK_S:
                self._pending = packet
                return

    def close(self) -> None:
        """Close the input and tell what was lost on the way."""
        if self._lost:
            self._say(f"{self._lost} damaged packets of other streams could not be copied")
            self._lost = 0
        for index, timeline in self._timelines.items():
            if timeline.moved or timeline.restarts:
                name = _described(self._input.streams[index])
                self._say(f"{name}: {timeline.moved + timeline.restarts} packets had times that went back: moved")
        self._timelines.clear()
        self._packets = iter(())
        self._input.close()

    def missing(self, output: Any, kind: str) -> list[str]:
        """What of the tags and chapters is not found in a finished output (`av.container.InputContainer`)."""
        lines = lost_tags(self._tags, output.metadata, kind) + lost_chapters(self._chapters, output.chapters())
        for index, added in self._outputs.items():
            for name in ("language", "title"):
                value = self._input_tags[index].get(name, "und")
                if value != "und" and output.streams[added.index].metadata.get(name) != value:
                    lines.append(f"{kind} cannot hold the {name} {value!r} of stream {index}: left out")
        return lines

    def _read_covers(self) -> dict[int, Packet[Any]]:
        """The one packet of each attached picture; the demuxer gives them before anything else."""
        covers = [stream for stream in self._input.streams if stream.disposition & Disposition.attached_pic]
        found: dict[int, Packet[Any]] = {}
        if covers:
            with av.open(self._input.name, metadata_errors="replace") as again:
                for packet in again.demux([again.streams[stream.index] for stream in covers]):
                    if packet.size and packet.stream_index not in found:
                        packet.pts = packet.dts = 0
                        found[packet.stream_index] = packet
                    if len(found) == len(covers):
                        break
        return found

    def _add_stream(self, container: Any, stream: Any) -> bool:
        if not _holds(container.format.name, stream):
            return False
        added = container.add_stream_from_template(stream, opaque=True)
        added.metadata.update(own_tags(stream.metadata))
        added.disposition = stream.disposition
        self._outputs[stream.index] = added
        self._input_tags[stream.index] = own_tags(stream.metadata)
        return True

    def _next(self) -> Packet[Any] | None:
        packet, self._pending = self._pending, None
        while packet is None:
            try:
                packet = next(self._packets, None)
            except av.error.FFmpegError as error:
                self._say(f"the other streams of the input cannot be read to their end ({error.strerror}): cut short")
                self._packets = iter(())
            if packet is None:
                return None
            if packet.size == 0 and packet.pts is None and packet.dts is None:
                packet = None  # the demuxer's end mark of a stream
            elif packet.pts is None and packet.dts is None:
                packet = None
                self._lost += 1
        return packet

    def _write(self, container: Any, packet: Packet[Any]) -> None:
        index = packet.stream_index
        timeline = self._timelines.get(index)
        if timeline is not None:
            ticks = packet.dts if packet.dts is not None else packet.pts
            assert ticks is not None
            placed = timeline.place(ticks, packet.duration or 0) + round(self._shift / packet.time_base)
            packet.pts = placed + ((ticks if packet.pts is None else packet.pts) - ticks)
            packet.dts = placed
        packet.stream = self._outputs[index]
        try:
            container.mux(packet)
        except (av.error.ArgumentError, av.error.InvalidDataError):
            self._lost += 1


def _time_of(packet: Packet[Any]) -> Fraction:
    ticks = packet.dts if packet.dts is not None else packet.pts
    return (ticks or 0) * packet.time_base


def _holds(kind: str, stream: Any) -> bool:
    """Whether a container takes a stream: the only sure way to know is to write a header with it."""
    if stream.disposition & Disposition.attached_pic and kind not in _COVER_CONTAINERS:
        return False
    if kind == "mpegts" and stream.type not in ("audio", "video"):
        return False  # it takes anything as private data that no player knows
    scratch: Any = av.open(io.BytesIO(), "w", format=kind)
    try:
        scratch.add_stream_from_template(stream, opaque=True)
        scratch.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    scratch.close()
    return True


def _is_chapter_text(stream: Any, has_chapters: bool) -> bool:
    """QuickTime keeps chapter titles in a text track, which FFmpeg shows as a data stream too."""
    return bool(has_chapters and stream.type == "data" and stream.name == "bin_data")


def _described(stream: Any) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else stream.name
    return f"{stream.type} stream {stream.index}" + (f" ({codec})" if codec else "")
