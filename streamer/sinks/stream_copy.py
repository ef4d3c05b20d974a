"""Copies what an input holds besides its video: audio, subtitles, data, pictures, attachments, chapters, tags.

Packets are copied as they are, as far as the output container takes them; what it does not take is told. Used by the
thread that owns the sink.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.stream import Disposition

from streamer.passthrough import Passthrough, PassthroughPacket, PassthroughStream
from streamer.sinks.sound import Transcoder, add_described
from streamer.sinks.tags import attachment_name, lost_chapters, lost_tags, moved_chapter, own_tags
from streamer.sinks.timing import Timeline

# Others drop a cover picture without a word, or show it as a video of one frame.
_COVER_CONTAINERS = frozenset({"mp4", "ipod", "matroska"})


class StreamCopy:
    """The other streams of an input on their way to one output.

    Args:
        passthrough: of the input.
        say: is told what cannot be copied.
    """

    def __init__(self, passthrough: Passthrough, say: Callable[[str], None]) -> None:
        self._say = say
        self._passthrough = passthrough
        self._subscription = passthrough.subscribe()
        self._tags = own_tags(passthrough.tags)
        self._outputs: dict[PassthroughStream, Any] = {}
        self._timelines: dict[PassthroughStream, Timeline] = {}
        self._transcoders: dict[PassthroughStream, Transcoder] = {}
        self._covers: list[tuple[PassthroughStream, PassthroughPacket]] = []
        self._shift = Fraction(0)
        self._lost = 0

    @property
    def time_bases(self) -> list[Fraction]:
        """Seconds per sample of the audio that is copied."""
        copied = [one for one in self._outputs if one.sample_rate_hz and one not in self._transcoders]
        encoded = [one.time_base for one in self._transcoders.values()]
        return encoded + [Fraction(1, stream.sample_rate_hz) for stream in copied]

    def add_to(self, container: Any, video: Any, shift: Fraction) -> None:
        """Add streams, chapters and tags to an output container, before its header is written.

        Args:
            container: `av.container.OutputContainer`.
            video: its video stream, which gets the tags of the one that it stands for.
            shift: seconds added to every time, as to those of the video.
        """
        passthrough = self._passthrough
        self._shift = shift
        container.metadata.update(self._tags)
        video.metadata.update(own_tags(passthrough.video_tags))
        video.disposition = passthrough.video_disposition & ~Disposition.attached_pic
        if passthrough.chapters:
            container.set_chapters([moved_chapter(chapter, shift) for chapter in passthrough.chapters])
        covers = passthrough.covers
        for stream in passthrough.streams:
            if _is_chapter_text(stream, bool(passthrough.chapters)) or (stream.is_cover and stream not in covers):
                continue
            if stream.is_cover and container.format.name == "matroska":
                container.add_attachment(*attachment_name(stream), covers[stream].data)
            elif not self._add_stream(container, stream):
                transcoded = stream.kind == "audio" and self._add_transcoder(container, stream)
                what = f"encoded as {self._transcoders[stream].codec}" if transcoded else "left out"
                self._say(f"{container.format.name} cannot hold the {stream.description} of the input: {what}")
            elif stream.is_cover:
                self._covers.append((stream, covers[stream]))
            elif stream.timed:
                self._timelines[stream] = Timeline(jump=round(1 / stream.time_base))

    def move(self, seconds: Fraction) -> None:
        """Move all that will be written by so much more."""
        self._shift += seconds

    def copy_until(self, container: Any, time_s: Fraction | None, *, last: bool = False) -> None:
        """Write all packets that came up to and including `time_s`.

        Args:
            container: the output, its header written.
            time_s: up to when, in the input's seconds; None for all that are left.
            last: nothing later will be asked for: the input is read on for packets that stand behind their time in it.

        Raises:
            OSError: the disk refuses.
        """
        if last and time_s is not None:
            self._passthrough.read_to(time_s)
        for stream, cover in self._covers:
            self._mux(container, stream, cover.packet())
        self._covers.clear()
        for stream, packet in self._subscription.take(time_s):
            if stream in self._timelines:
                self._mux(container, stream, self._placed(stream, packet))
            elif stream in self._transcoders:
                self._mux_sound(container, stream, self._transcoders[stream].encode(packet))
        if last:
            for stream, transcoder in self._transcoders.items():
                self._mux_sound(container, stream, transcoder.finish())

    def close(self) -> None:
        """Take no more, and tell what was lost on the way. Fine a second time."""
        self._subscription.close()
        self._lost += sum(transcoder.lost for transcoder in self._transcoders.values())
        self._transcoders.clear()
        if self._lost:
            self._say(f"{self._lost} damaged packets of other streams could not be copied")
            self._lost = 0
        for stream, timeline in self._timelines.items():
            moved = timeline.moved + timeline.restarts
            if moved:
                self._say(f"{stream.description}: {moved} packets had times that went back: moved")
        self._timelines.clear()

    def missing(self, output: Any, kind: str) -> list[str]:
        """What of the tags and chapters is not found in a finished output (`av.container.InputContainer`)."""
        chapters = self._passthrough.chapters
        lines = lost_tags(self._tags, output.metadata, kind) + lost_chapters(chapters, output.chapters())
        for stream, added in self._outputs.items():
            tags = own_tags(stream.tags)
            for name in ("language", "title"):
                value = tags.get(name, "und")
                if value != "und" and output.streams[added.index].metadata.get(name) != value:
                    lines.append(f"{kind} cannot hold the {name} {value!r} of stream {stream.index}: left out")
        return lines

    def _add_stream(self, container: Any, stream: PassthroughStream) -> bool:
        if not _holds(container.format.name, stream):
            return False
        self._take(stream, _added(container, stream))
        return True

    def _add_transcoder(self, container: Any, stream: PassthroughStream) -> bool:
        try:
            self._transcoders[stream] = Transcoder(container, stream)
        except ValueError:
            return False
        self._take(stream, self._transcoders[stream].stream)
        return True

    def _take(self, stream: PassthroughStream, added: Any) -> None:
        added.metadata.update(own_tags(stream.tags))
        added.disposition = stream.disposition
        self._outputs[stream] = added

    def _placed(self, stream: PassthroughStream, packet: PassthroughPacket) -> Packet[Any]:
        made = packet.packet()
        placed = self._timelines[stream].place(packet.ticks, packet.duration) + round(self._shift / stream.time_base)
        made.pts = placed + ((packet.ticks if packet.pts is None else packet.pts) - packet.ticks)
        made.dts = placed
        return made

    def _mux_sound(self, container: Any, stream: PassthroughStream, packets: list[Packet[Any]]) -> None:
        moved = round(self._shift / self._transcoders[stream].time_base)
        for packet in packets:
            assert packet.pts is not None
            packet.pts = packet.dts = packet.pts + moved
            self._mux(container, stream, packet)

    def _mux(self, container: Any, stream: PassthroughStream, packet: Packet[Any]) -> None:
        packet.time_base = packet.time_base or stream.time_base
        packet.stream = self._outputs[stream]
        try:
            container.mux(packet)
        except (av.error.ArgumentError, av.error.InvalidDataError):
            self._lost += 1


def _added(container: Any, stream: PassthroughStream) -> Any:
    if stream.kind == "audio":
        return add_described(container, stream.template)
    return container.add_stream_from_template(stream.template, opaque=True)


def _holds(kind: str, stream: PassthroughStream) -> bool:
    """Whether a container takes a stream: the only sure way to know is to write a header with it."""
    if stream.template is None or (stream.is_cover and kind not in _COVER_CONTAINERS):
        return False
    if kind == "mpegts" and stream.kind not in ("audio", "video"):
        return False  # it takes anything as private data that no player knows
    scratch: Any = av.open(io.BytesIO(), "w", format=kind)
    try:
        _added(scratch, stream)
        scratch.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    scratch.close()
    return True


def _is_chapter_text(stream: PassthroughStream, has_chapters: bool) -> bool:
    """QuickTime keeps chapter titles in a text track, which FFmpeg shows as a data stream too."""
    return has_chapters and stream.kind == "data" and stream.codec == "bin_data"
