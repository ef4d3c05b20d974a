"""One clip: which packets it has, and its files. Used by the thread of the clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from streamer.clips.boxes import BoxesFile, RecentBoxes
from streamer.clips.clip_file import ClipFile
from streamer.clips.event_files import BOXES, CLIP, absolute, event_file
from streamer.clips.packets import RingPacket, exact, next_shown, reorder_delay
from streamer.clips.ring import PacketRing
from streamer.clips.sound import Sound
from streamer.config.events import ClipSettings
from streamer.sinks.segments.streams import SegmentStreams

_SOUND_WITHIN_S = Fraction(1, 2)
"""How long the file is not begun for audio that begins a little later than the video."""


class FinishedClip(NamedTuple):
    """The complete clip of an event.

    Attributes:
        event_id: of the event.
        clip, boxes: paths relative to the folder of the store, with /.
        start_time: of its first picture, seconds since 1970.
        duration_s: as players read it.
        bytes: size of both files.
        note: why it is shorter than the settings ask for, one line; empty if it is not.
    """

    event_id: str
    clip: str
    boxes: str
    start_time: float
    duration_s: float
    bytes: int
    note: str


@dataclass(frozen=True, slots=True)
class ClipSource:
    """What all clips of a run share.

    Attributes:
        camera: its name.
        folder: of the store.
        settings: of the clips.
        ring, boxes: of the run.
        time_base: of the frames.
        fps: of the video; None if unknown.
        note: gets a line for audio that cannot be copied.
    """

    camera: str
    folder: Path
    settings: ClipSettings
    ring: PacketRing
    boxes: RecentBoxes
    time_base: Fraction
    fps: Fraction | None
    note: Callable[[str], None]


class Clip:
    """The clip of one event, which is written while the event lasts.

    Args:
        event_id: of the event.
        time: media time of its start, seconds.
        start_time: the same, seconds since 1970.
        source: what it is cut from. The ring keeps its packets until `close`.
        sound: its audio.

    Attributes:
        event_id: as given.
    """

    def __init__(self, event_id: str, time: Fraction, start_time: float, source: ClipSource, sound: Sound) -> None:
        self.event_id = event_id
        self._sound = sound
        self._part: SegmentStreams | None = None
        self._time, self._start_time, self._source = time, start_time, source
        self._begin = time - exact(source.settings.before_s)
        self._limit = max(self._begin + exact(source.settings.max_s), time)
        self._end: Fraction | None = None
        self._names = event_file(source.camera, event_id, CLIP), event_file(source.camera, event_id, BOXES)
        self._first: RingPacket | None = None
        self._zero = time  # media time of the first picture
        self._last: RingPacket | None = None
        self._file: ClipFile | None = None
        self._boxes: BoxesFile | None = None
        self._written_to = Fraction(0)
        self._note = ""
        self._over = False

    @property
    def until(self) -> Fraction:
        """Media time of its end, as far as it is known now, seconds: every picture up to it is in the file.

        A picture that is decoded before the last one of the event, and shown later, moves the end.
        """
        end = self._limit if self._end is None else min(self._end, self._limit)
        return max(end, self._written_to)

    def end(self, time: Fraction) -> None:
        """The event ends at a media time, seconds."""
        self._end = time + exact(self._source.settings.after_s)

    def write(self, shown: Fraction, *, final: bool) -> bool:
        """Write what has come; returns whether the clip is complete, and `finish` is next.

        Args:
            shown: media time of the newest shown frame, seconds.
            final: nothing more will come in time.

        Raises:
            StreamerError: the disk failed, or MP4 cannot hold the video.
        """
        if self._file is None:
            self._open(shown, final=final)
        if self._file is None or self._boxes is None:
            return final
        while True:  # packets may move the end
            until = self.until if final else min(shown, self.until)
            packets, passed = self._source.ring.take(self.event_id, until, final=final)
            if not packets:
                break
            self._write(self._file, packets)
        self._boxes.write(self._source.boxes, min(until, self._written_to))
        return final or self._over or (passed and shown >= self.until and self._heard(shown))

    def finish(self) -> FinishedClip | None:
        """Complete the files. Returns None if there was no packet.

        Raises:
            StreamerError: the disk failed; no file is left.
        """
        if self._file is None or self._boxes is None or self._last is None:
            return None
        begin = self._zero
        written = self._file.complete(self._written_to - begin)
        boxes_bytes = self._boxes.finish(written.duration_s)
        self._file.commit()
        if (self._end is None or self._end > self._limit) and self._written_to >= self._limit:
            self._note = self._note or f"it ends at events.clip.max_s={self._source.settings.max_s:g} s"
        if begin > self._begin and self._source.ring.is_short:
            late_s = float(begin - self._begin)
            self._note = self._note or f"it begins {late_s:.1f} s late: events.clip.memory_mb is too small"
        start_time = self._start_time + float(begin - self._time)
        size = written.bytes + boxes_bytes
        return FinishedClip(self.event_id, *self._names, start_time, written.duration_s, size, self._note)

    def close(self) -> None:
        """Remove unfinished files, and need no more packets."""
        self._source.ring.release(self.event_id)
        self._sound.drop(self._part)
        for file in (self._file, self._boxes):
            if file is not None:
                file.discard()

    def _heard(self, shown: Fraction) -> bool:
        """Whether all audio has come: in a file it is often behind the video."""
        if self._part is None:
            return True
        self._part.end = self.until
        return self._part.is_complete(shown)

    def _open(self, shown: Fraction, *, final: bool) -> None:
        """Choose the first packet, and make the files once the audio has begun."""
        source = self._source
        packets = source.ring.held()
        if self._first is None:
            self._first = first_packet(packets, self._begin, self._time)
            if self._first is None or self._first.time is None:
                return
            self._zero = self._first.time
            source.ring.advance(self.event_id, self._first.number)
        if not final and shown < min(self._zero + _SOUND_WITHIN_S, self.until):
            return
        clip, boxes = (absolute(source.folder, name) for name in self._names)
        self._part = self._sound.part(self._zero)
        self._file = ClipFile(
            clip, self._first.stream, source.time_base, source.fps, reorder_delay(packets), self._part, source.note
        )
        start_time = self._start_time + float(self._zero - self._time)
        facts = {"clip": clip.name, "camera": source.camera, "start_time": start_time}
        self._boxes = BoxesFile(boxes, facts, self._zero)

    def _write(self, file: ClipFile, packets: Sequence[RingPacket]) -> None:
        kept = [(packet, packet.time) for packet in packets if packet.time is not None and self._admits(packet)]
        for (packet, shown), following in zip(kept, next_shown([shown for _, shown in kept]), strict=True):
            file.write(packet, shown - self._zero, following - self._zero)
            self._written_to = max(self._written_to, shown)

    def _admits(self, packet: RingPacket) -> bool:
        """Whether the file takes a packet. If it has another format, the clip ends before it."""
        before, first = self._last, self._first
        if self._over or first is None or packet.time is None:
            return False
        if packet.stream.parameters != first.stream.parameters:
            self._over = True
            self._note = "the camera changed the format of its video"
            return False
        follows = before is None or packet.number == before.number + 1 or packet.stream.number != before.stream.number
        if not follows and not packet.content.is_key:  # packets were dropped: the disk was too slow
            return False
        self._last = packet
        return packet.time >= self._zero  # earlier pictures are decoded from pictures before the file


def first_packet(packets: Sequence[RingPacket], begin: Fraction, event: Fraction) -> RingPacket | None:
    """The first packet of a clip: the keyframe at or before a time, or else the first one after it.

    Streams with other parameters do not fit into one file: then the clip begins with the stream of the event.

    Args:
        packets: in decoding order, with their times.
        begin: when the clip should begin, media time in seconds.
        event: when the event starts, which the clip must have.

    Returns:
        None if there are no packets. The first packet if none is a keyframe, as with gradual refresh.
    """
    found: RingPacket | None = None
    for packet in packets:
        assert packet.time is not None
        if found is not None and packet.time > event:
            break
        changed = found is not None and packet.stream.parameters != found.stream.parameters
        if packet.content.is_key and (found is None or changed or packet.time <= begin):
            found = packet
    return found or (packets[0] if packets else None)
