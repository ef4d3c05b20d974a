"""Reads an open input once: yields the packets of the video and passes the packets of other streams to outputs.

Owned by the thread that reads the input.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from streamer.errors import SourceLost
from streamer.interfaces import Damage
from streamer.media.ffmpeg_log import reason
from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import (
    PassthroughPacket,
    PassthroughStream,
    describe_streams,
    passthrough_packet,
)
from streamer.sources.decode.continuity import ContinuousClock
from streamer.sources.decode.missing_parameters import has_unknown_parameters

log = logging.getLogger(__name__)

_GENERATE_PTS = 1
"""AVFMT_FLAG_GENPTS, which PyAV sets."""
_TS_DISCONT = 0x0200
"""AVFMT_TS_DISCONT: the format's time stamps may jump."""
_READ_ATTEMPTS = 10
"""Reading ends after this many consecutive failures; a demuxer that recovers does so at once."""
_MOST_REPORTS = 20
_NO_TEXT = b"\0\0"
"""The empty samples between QuickTime texts; muxers write them themselves (3GPP TS 26.245, 5.17)."""
_MOST_REORDERED = 16
"""The largest reordering distance of a video (H.264, A.3.1)."""
_BEHIND_S = 60
"""How far audio may be behind the video in an input."""


class PacketReader:
    """The packets of one input in file order, on one continuous clock.

    Args:
        container: open for reading; the caller closes it.
        video: the stream to decode.
        name: of the input, for the log.
        passthrough: gets the packets of its streams; None reads the video alone.
        start: the time that becomes 0 in an output, seconds; reported times are relative to it.
        report: gets a line for each correction of the clock.

    Attributes:
        damage: read errors since the owner last emptied the list.
        gave_up: reading failed permanently before the end.
    """

    def __init__(
        self,
        container: InputContainer,
        video: VideoStream,
        name: str,
        passthrough: Passthrough | None = None,
        start: Fraction = Fraction(0),
        report: Callable[[str], None] = log.warning,
    ) -> None:
        self._container = container
        self._start = start
        self._video = video
        self._name = name
        self._passthrough = passthrough
        self._others: dict[int, PassthroughStream] = {}
        if passthrough is not None:
            self._others = {stream.index: stream for stream in passthrough.streams}
        self._clock = ContinuousClock(jumps=bool(container.format.flags & _TS_DISCONT))
        self.damage: list[Damage] = []
        self._report = report
        self._reported = 0
        self.gave_up = False
        self._untimed = 0  # packets of other streams without a time, which cannot be copied
        self._copies = True
        self._ends: dict[int, Fraction] = {}  # of audio
        self._ticks: dict[int, int] = {}  # of the last packet of each stream
        self._waiting: dict[int, list[PassthroughPacket]] = {}  # for a decoding time
        self._last: dict[int, Fraction] = {i: Fraction(0) for i, one in self._others.items() if one.kind == "audio"}
        # The demuxer must not generate missing times: they are wrong for AVI files with B-frames.
        container.flags &= ~_GENERATE_PTS
        for stream in container.streams:
            read = stream is video or stream.index in self._others
            stream.discard = Discard.default if read else Discard.all

    @property
    def moved(self) -> bool:
        """Whether the clock was corrected."""
        return self._clock.offset != 0

    def drop_others(self) -> None:
        """Stop reading the other streams: no output copies them.

        Audio is still read where it takes part in the correction of the clock, so that the times of the frames do not
        depend on the outputs; not that of HLS, which would be downloaded.
        """
        self._copies = False
        clock = self._container.format.flags & _TS_DISCONT and self._container.format.name != "hls"
        for stream in self._container.streams:
            if stream.index != self._video.index and not (clock and stream.index in self._last):
                stream.discard = Discard.all

    def read_others_to(self, time: Fraction) -> None:
        """Continue until all audio up to a time (seconds) is read; video packets are dropped.

        In files audio is often a little behind the video. Reading ends when the video is far beyond the time.
        """
        missing = {index for index, last in self._last.items() if last <= time}
        for packet in self._read():
            for placed in self._clock.place(packet):
                for _ in self._sort(placed):
                    pass
                ticks = placed.pts if placed.dts is None else placed.dts
                beyond_s = Fraction(0) if ticks is None else ticks * placed.time_base - time
                if beyond_s > 0:
                    missing.discard(placed.stream_index)
                if not missing or beyond_s > _BEHIND_S:
                    return

    def __iter__(self) -> Iterator[Packet[VideoStream]]:
        """Packets of the video, including empty ones that have only a time."""
        for packet in self._read():
            for placed in self._clock.place(packet):
                yield from self._sort(placed)
            self._report_discontinuities()
        for placed in self._clock.finish():
            yield from self._sort(placed)
        self._report_discontinuities()
        for index, waiting in self._waiting.items():
            for undated in waiting:
                self._put(self._others[index], undated)
        if self._untimed:
            self._report(f"{self._name}: {self._untimed} packets of other streams have no time and are left out")

    def _read(self) -> Iterator[Packet[Any]]:
        """All packets but the demuxer's end marks; reading continues after an error."""
        failed = 0
        while True:
            try:
                for packet in self._container.demux():
                    failed = 0
                    if packet.size or packet.dts is not None or packet.pts is not None:
                        yield packet
                return
            except IndexError:
                # PyAV's end marks are for all streams, also for those that appeared while the file was read (a
                # transport stream that is damaged or joined), which it does not know.
                return
            except av.error.FFmpegError as error:
                failed += 1
                if failed >= _READ_ATTEMPTS:
                    self.gave_up = True
                    return
                if failed == 1:
                    self.damage.append(Damage("read error", 1, reason(error)))

    def _sort(self, packet: Packet[Any]) -> Iterator[Packet[VideoStream]]:
        if packet.stream_index == self._video.index:
            yield packet
            return
        stream = self._others.get(packet.stream_index)
        if stream is None or self._passthrough is None or not self._copies or not packet.size:
            return
        if stream.codec == "mov_text" and bytes(packet) == _NO_TEXT:
            return
        if packet.pts is None and packet.dts is None and stream.timed and not self._follow(stream, packet):
            self._untimed += 1
            return
        copied = passthrough_packet(packet)
        if stream.kind in ("audio", "video") and stream.timed:
            copied = self._with_duration(stream, copied)
        if stream.index in self._last:
            self._last[stream.index] = copied.ticks * stream.time_base
            self._ends[stream.index] = self._last[stream.index] + copied.duration * stream.time_base
        for one in self._with_dts(stream, copied):
            self._put(stream, one)

    def _put(self, stream: PassthroughStream, packet: PassthroughPacket) -> None:
        assert self._passthrough is not None
        try:
            self._passthrough.put(stream, packet)
        except OSError as error:
            why = f"no disk space for audio that waits for its frames ({error.strerror})"
            raise SourceLost(f"{self._name}: {why}; free some space, or set TMPDIR to another folder") from error

    def _with_dts(self, stream: PassthroughStream, packet: PassthroughPacket) -> list[PassthroughPacket]:
        """The packets whose decoding time is known. Matroska has none, and FFmpeg derives none for the first packets.

        These wait for the next packet with a decoding time; otherwise B-frames would be written in presentation order.
        """
        waiting = self._waiting.setdefault(stream.index, [])
        if stream.kind == "video" and packet.dts is None and stream.timed and len(waiting) < _MOST_REORDERED:
            waiting.append(packet)
            return []
        if not waiting:
            return [packet]
        dts = packet.ticks
        placed = [packet]
        for earlier in reversed(waiting):
            dts = min(dts - 1, earlier.ticks)
            placed.append(replace(earlier, dts=dts))
        waiting.clear()
        return placed[::-1]

    def _follow(self, stream: PassthroughStream, packet: Packet[Any]) -> bool:
        """Set the time of audio without one to the end of the previous packet; returns whether that is known."""
        end = self._ends.get(stream.index)
        if end is None:
            return False
        packet.pts = packet.dts = round(end / stream.time_base)
        return True

    def _with_duration(self, stream: PassthroughStream, packet: PassthroughPacket) -> PassthroughPacket:
        """With the duration of a packet of its codec, or else of the previous packet, if it has none.

        In MP4 a last packet without a duration is not played.
        """
        step = packet.ticks - self._ticks.get(stream.index, packet.ticks)
        self._ticks[stream.index] = packet.ticks
        if packet.duration > 0:
            return packet
        step = round(stream.packet_s / stream.time_base) or step
        return replace(packet, duration=max(step, 0))

    def _report_discontinuities(self) -> None:
        for found in self._clock.discontinuities:
            self._reported += 1
            if self._reported <= _MOST_REPORTS:
                self._report(f"{self._name}: {found.describe(self._start)}")
        self._clock.discontinuities.clear()


def passthrough_of(
    container: InputContainer, video: VideoStream, known: Mapping[int, Stream] | None = None, *, audio: bool = True
) -> Passthrough:
    """The streams of an input besides its video; `known` as for `describe_streams`.

    Of an HLS playlist only the audio that belongs to the video is included, not the other variants.
    """
    others = [stream for stream in container.streams if stream.index != video.index]
    if container.format.name == "hls":
        others = [one for one in (container.streams.best("audio", related=video),) if one is not None]
    return Passthrough(
        describe_streams([stream for stream in others if audio or stream.type != "audio"], known),
        tags=container.metadata,
        chapters=container.chapters(),
        video_tags=video.metadata,
        video_disposition=video.disposition,
    )


def start_of(container: InputContainer, video: VideoStream) -> Fraction:
    """The time that becomes 0 in an output, seconds: the start of the video or of the first audio.

    Audio before 0 is the priming of its decoder and stays there; video before 0 is moved.
    """
    starts = {
        stream.index: stream.start_time * stream.time_base
        for stream in container.streams
        if (stream is video or (stream.type == "audio" and not has_unknown_parameters(stream)))
        and stream.start_time is not None
        and stream.time_base
    }
    earliest = min(starts.values(), default=Fraction(0))
    return earliest if earliest > 0 else min(starts.get(video.index, Fraction(0)), Fraction(0))
