"""Copies everything but the video of an input: audio, subtitles, data, covers, attachments, chapters, tags.

Packets are copied if the output container holds their stream; streams that it cannot hold are noted. Used by the thread
that owns the sink.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from av.stream import Disposition

from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sinks.muxing.adts import has_headers, without_headers
from streamer.sinks.muxing.compatibility import CHECKED_PACKETS, check_stream
from streamer.sinks.muxing.copied_stream import CopiedStream
from streamer.sinks.muxing.encoded_stream import EncodedStream
from streamer.sinks.muxing.tags import (
    add_timecode,
    attachment_name,
    lost_chapters,
    lost_tags,
    lost_timecodes,
    moved_chapter,
    own_tags,
    timecodes_of,
)


class StreamCopy:
    """Copies the other streams of an input to one output.

    Args:
        passthrough: of the input.
        note: called with a line for everything that cannot be copied.
    """

    def __init__(self, passthrough: Passthrough, note: Callable[[str], None]) -> None:
        self._note = note
        self._passthrough = passthrough
        self._subscription = passthrough.subscribe()
        self._tags = own_tags(passthrough.tags)
        self._timecodes = timecodes_of(passthrough)
        self._copies: dict[PassthroughStream, CopiedStream | EncodedStream] = {}
        self._covers: list[tuple[CopiedStream, PassthroughPacket]] = []
        self._shift = Fraction(0)

    @property
    def time_bases(self) -> list[Fraction]:
        """Seconds per sample of the copied audio."""
        return [Fraction(1, stream.sample_rate_hz) for stream in self._copies if stream.sample_rate_hz]

    @property
    def is_silent(self) -> bool:
        """Whether a stream has no packet yet."""
        timed = [stream for stream in self._passthrough.streams if stream.timed]
        return not all(self._subscription.peek(stream, 1) for stream in timed)

    def add_to(self, container: Any, video: Any, shift: Fraction, *, fragmented: bool = False) -> None:
        """Add streams, chapters and tags to an output container, before its header is written.

        Args:
            container: `av.container.OutputContainer`.
            video: its video stream, which gets the tags of the input's video.
            shift: seconds added to every time, as for the video.
            fragmented: it is a fragmented MP4.
        """
        passthrough = self._passthrough
        self._shift = shift
        container.metadata.update(self._tags)
        video.metadata.update(own_tags(passthrough.video_tags))
        video.disposition = passthrough.video_disposition & ~Disposition.attached_pic
        add_timecode(container, video, self._timecodes)
        if passthrough.chapters:
            container.set_chapters([moved_chapter(chapter, shift) for chapter in passthrough.chapters])
        covers = passthrough.covers
        for stream in passthrough.streams:
            if self._has_other_place(stream) or (stream.is_cover and stream not in covers):
                continue
            if stream.is_cover and container.format.name == "matroska":
                container.add_attachment(*attachment_name(stream), covers[stream].data)
                continue
            copied = self._add_stream(container, stream, fragmented)
            if copied is None:
                self._add_encoded(container, stream)
            elif stream.is_cover:
                self._covers.append((copied, covers[stream]))

    def move(self, seconds: Fraction) -> None:
        """Add seconds to all later times."""
        self._shift += seconds

    def copy_until(self, container: Any, time_s: Fraction | None, *, last: bool = False) -> None:
        """Write all packets up to and including a time.

        Args:
            container: the output, after its header is written.
            time_s: seconds of the input; None for all packets.
            last: this is the last call: the input is read further for packets that are late in the file.

        Raises:
            OSError: the disk refuses.
        """
        if last and time_s is not None:
            self._passthrough.read_to(time_s)
        for covering, cover in self._covers:
            covering.write_cover(container, cover)
        self._covers.clear()
        taken = self._subscription.take(time_s)
        for stream in dict.fromkeys(stream for stream, _ in taken):
            if stream in self._copies:
                self._copies[stream].try_with([packet for one, packet in taken if one is stream])
        for stream, packet in taken:
            if stream in self._copies:
                self._copies[stream].write(container, packet, self._shift)
        if last:
            for copy in self._copies.values():
                copy.finish(container, self._shift)

    def close(self) -> None:
        """Take no more packets, and note the lost ones. Does nothing the second time."""
        self._subscription.close()
        lost = sum(copy.lost for copy in self._copies.values())
        if lost:
            self._note(f"{lost} damaged packets of other streams could not be copied")
        for stream, copy in self._copies.items():
            if copy.moved:
                self._note(f"{stream.description}: {copy.moved} packets had times that went back: moved")

    def missing(self, output: Any, kind: str) -> list[str]:
        """Lines for the tags and chapters that a finished output (`av.container.InputContainer`) does not have."""
        chapters = self._passthrough.chapters
        lines = lost_tags(self._tags, output.metadata, kind) + lost_chapters(chapters, output.chapters())
        lines += lost_timecodes(self._timecodes, output, kind)
        for stream, copy in self._copies.items():
            tags = own_tags(stream.tags)
            for name in ("language", "title"):
                value = tags.get(name, "und")
                if value != "und" and output.streams[copy.added.index].metadata.get(name) != value:
                    lines.append(f"{kind} cannot hold the {name} {value!r} of stream {stream.index}: left out")
        return lines

    def _add_stream(self, container: Any, stream: PassthroughStream, fragmented: bool) -> CopiedStream | None:
        kind = container.format.name
        first = self._subscription.peek(stream, CHECKED_PACKETS)
        fit = check_stream(kind, stream, first)
        if not fit.holds:
            return None
        written: PassthroughStream | None = stream
        strip = fragmented and has_headers(stream)
        if strip:
            written = without_headers(stream, first[0] if first else None)
        if written is None:
            return None
        added = written.add_to(container)
        added.metadata.update(own_tags(stream.tags))
        self._copies[stream] = copied = CopiedStream(kind, stream, added, fit, self._note, strip=strip)
        return copied

    def _add_encoded(self, container: Any, stream: PassthroughStream) -> None:
        """Add a stream that the container cannot hold: audio is encoded, others are left out."""
        what = "left out"
        if stream.kind == "audio":
            try:
                self._copies[stream] = encoded = EncodedStream(container, stream)
            except ValueError:
                pass
            else:
                encoded.added.metadata.update(own_tags(stream.tags))
                encoded.added.disposition = stream.disposition
                what = f"encoded as {encoded.codec}"
        self._note(f"{container.format.name} cannot hold the {stream.description} of the input: {what}")

    def _has_other_place(self, stream: PassthroughStream) -> bool:
        """Whether a stream becomes something else: a timecode of the video, or chapters (QuickTime's text tracks)."""
        if stream.codec == "mov_text":
            return self._has_titles(stream)
        if stream.kind != "data":
            return False
        is_title = stream.codec_tag == "text" and stream.codec == "bin_data"
        return stream.codec_tag == "tmcd" or (is_title and bool(self._passthrough.chapters))

    def _has_titles(self, stream: PassthroughStream) -> bool:
        """Whether text is the titles of chapters, which FFmpeg does not see in a file that comes through a pipe."""
        titles = [chapter["metadata"].get("title", "") for chapter in self._passthrough.chapters]
        first = self._subscription.peek(stream, CHECKED_PACKETS)
        texts = [packet.data[2:].decode(errors="replace") for packet in first]
        shown = [text[: len(title)] for text, title in zip(texts, titles, strict=False)]
        return bool(shown) and all(titles) and shown == titles[: len(shown)]
