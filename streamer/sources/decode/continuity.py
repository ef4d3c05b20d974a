"""One continuous clock for all streams of an input whose time stamps restart or jump.

Recordings that are concatenated bytewise (broadcasts, dashcams, recorders) restart their clock in every part, and
transport streams jump after a loss of reception. Each discontinuity gets one offset for all streams, so audio and video
stay in sync within each part. Owned by the thread that reads the input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from av.packet import Packet
from av.stream import Disposition

BACK_S = Fraction(1, 10)
"""A decoding time this far before the last one of its stream is a restart of the clock."""
FORWARD_S = 10
"""In formats whose clock may jump, a longer step forwards is a jump (FFmpeg's `dts_delta_threshold`); a shorter one is
a pause."""
ABSURD_S = 30 * 3600
"""The same for other formats (FFmpeg's `dts_error_threshold`)."""
_SLACK_S = 1
"""A packet whose stream has reached the new part must be nearer to the old part by this to belong to it."""
_MOST_BROKEN = 2
"""Up to this many consecutive packets of a stream may have a broken time; more are a new clock."""
_ACTIVE_S = 5
"""A stream without packets for this long is not waited for at a restart."""
_HELD_S = 40
_HELD_BYTES = 32 << 20
"""How much of the new part is held until all streams have reached it: audio may be 30 s behind."""


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A discontinuity of the clock that was corrected.

    Attributes:
        time: where the new part continues, seconds.
        offset: added to the times of the new part, relative to the previous offset, seconds.
    """

    time: Fraction
    offset: Fraction

    def describe(self, start: Fraction) -> str:
        """One line, with the time relative to `start`."""
        what = "restarts" if self.offset > 0 else "jumps"
        at_s = float(self.time - start)
        return f"the clock {what} at {at_s:.3f} s: all streams continue from there ({float(self.offset):+.3f} s)"


@dataclass(slots=True)
class _Last:
    """The last packet of a stream in a part and the number of packets; `read_at` is the time of all streams then."""

    time: Fraction
    end: Fraction
    read_at: Fraction
    count: int


@dataclass(slots=True)
class _Part:
    """A part of the input with one clock, in raw seconds."""

    last: dict[int, _Last] = field(default_factory=dict)
    now: Fraction | None = None  # of all streams
    start: Fraction | None = None  # the earliest presentation
    end: Fraction | None = None  # the latest

    def distance(self, index: int, time: Fraction) -> Fraction | None:
        """The distance of a time from the expected next one; negative only if it is before the last one of its stream.

        A stream may be far behind the others in a file, and pause while they continue.
        """
        if self.now is None:
            return None
        last = self.last.get(index)
        if last is None:
            return time - self.now
        return time - last.time if time < last.time else max(min(time - self.now, time - last.end), Fraction(0))

    def take(self, index: int, time: Fraction, start: Fraction, end: Fraction) -> None:
        self.now = time if self.now is None else max(self.now, time)
        count = self.last[index].count if index in self.last else 0
        self.last[index] = _Last(time, end, self.now, count + 1)
        self.start = start if self.start is None else min(self.start, start)
        self.end = end if self.end is None else max(self.end, end)


class ContinuousClock:
    """Moves the times of packets so that they continue across restarts and jumps.

    Only audio and video determine discontinuities; packets of other streams belong to the nearer part.

    Args:
        jumps: the format's clock may jump (MPEG-TS, MPEG-PS, FLV), not only restart.

    Attributes:
        discontinuities: corrections since the owner last emptied the list.
        offset: the current offset, seconds.
    """

    def __init__(self, *, jumps: bool) -> None:
        self.discontinuities: list[Discontinuity] = []
        self.offset = Fraction(0)
        self._forward_s = FORWARD_S if jumps else ABSURD_S
        self._part = _Part()
        self._next: _Part | None = None  # the part that may begin; packets are held meanwhile
        self._held: list[tuple[Packet[Any], bool]] = []  # and whether they belong to that part
        self._held_bytes = 0

    def place(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """The packets whose part is known, with corrected times, in the order in which they were read."""
        time = _time_of(packet)
        if time is None:
            yield from self._hold(packet, False) if self._next is not None else iter((packet,))
            return
        breaks = self._breaks(self._part, packet, time)
        if self._next is not None and breaks and self._breaks(self._next, packet, time):
            yield from self._join()  # another discontinuity
            breaks = self._breaks(self._part, packet, time)
        if self._next is None and breaks:
            self._next = _Part()
        if self._next is None:
            self._note(self._part, packet, time)
            yield self._moved(packet)
            return
        newer = breaks or self._is_newer(self._next, packet, time)
        seen = self._next.last.get(packet.stream_index)
        if seen is not None and seen.count > _MOST_BROKEN:
            newer = True
        elif not newer and seen is not None:
            yield from self._reject()
            self._note(self._part, packet, time)
            yield self._moved(packet)
            return
        self._note(self._next if newer else self._part, packet, time)
        yield from self._hold(packet, newer)

    def finish(self) -> Iterator[Packet[Any]]:
        """The packets that are still held at the end of the input."""
        if self._next is not None:
            yield from self._join()

    def _breaks(self, part: _Part, packet: Packet[Any], time: Fraction) -> bool:
        if not _decides(packet) or packet.stream_index not in part.last:
            return False
        distance = part.distance(packet.stream_index, time)
        if distance is not None and distance < 0:  # decoding times that FFmpeg derives may go back a little
            shown = time if packet.pts is None else packet.pts * packet.time_base
            distance = shown - part.last[packet.stream_index].time
        return distance is not None and (distance < -BACK_S or distance > self._forward_s)

    def _is_newer(self, begun: _Part, packet: Packet[Any], time: Fraction) -> bool:
        """Whether a packet belongs to the new part: it goes back in the old part, or is nearer to the new one."""
        index = packet.stream_index
        if index in self._part.last and time < self._part.last[index].time:
            return True
        old, new = self._part.distance(index, time), begun.distance(index, time)
        if old is None or new is None:
            return True
        return abs(new) < abs(old) + (_SLACK_S if index in begun.last else 0)

    def _reject(self) -> Iterator[Packet[Any]]:
        """Discard the new part: a stream continues with the old clock, so the other time stamps are broken."""
        self._next = None
        for packet, newer in self._take_held():
            if newer:
                packet.pts = packet.dts = None
            yield self._moved(packet)

    def _note(self, part: _Part, packet: Packet[Any], time: Fraction) -> None:
        if not _decides(packet):
            return
        last = part.last.get(packet.stream_index)
        lasts = (packet.duration or 0) * packet.time_base
        if lasts <= 0 or lasts > 1:  # unknown or absurd: that of the previous packet
            lasts = min(max(time - last.time, Fraction(0)), Fraction(1)) if last is not None else Fraction(0)
        shown = time if packet.pts is None else packet.pts * packet.time_base
        part.take(packet.stream_index, time, shown, shown + lasts)

    def _hold(self, packet: Packet[Any], newer: bool) -> Iterator[Packet[Any]]:
        begun = self._next
        assert begun is not None
        self._held.append((packet, newer))
        self._held_bytes += packet.size
        now = self._part.now
        active = [i for i, last in self._part.last.items() if now is None or last.read_at > now - _ACTIVE_S]
        seen = all(index in begun.last and begun.last[index].count > 1 for index in active)
        spans = begun.now is not None and begun.start is not None and begun.now - begun.start > _HELD_S
        if seen or spans or self._held_bytes > _HELD_BYTES:
            yield from self._join()

    def _join(self) -> Iterator[Packet[Any]]:
        """Begin the new part at the end of all streams of the old one."""
        begun = self._next
        assert begun is not None
        before = self.offset
        end, start = self._part.end or Fraction(0), begun.start or Fraction(0)
        after = before + end - start
        self._next, self._part = None, begun
        for packet, newer in self._take_held():
            self.offset = after if newer else before
            yield self._moved(packet)
        self.offset = after
        self.discontinuities.append(Discontinuity(start + after, after - before))

    def _take_held(self) -> list[tuple[Packet[Any], bool]]:
        held, self._held, self._held_bytes = self._held, [], 0
        return held

    def _moved(self, packet: Packet[Any]) -> Packet[Any]:
        if self.offset:
            ticks = round(self.offset / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return packet


def _decides(packet: Packet[Any]) -> bool:
    """Whether a packet determines the clock; presentation times alone are not sorted in a video."""
    stream = packet.stream
    timed = stream.type == "audio" or (stream.type == "video" and packet.dts is not None)
    return timed and not stream.disposition & Disposition.attached_pic


def _time_of(packet: Packet[Any]) -> Fraction | None:
    ticks = packet.pts if packet.dts is None else packet.dts
    return None if ticks is None or not packet.time_base else ticks * packet.time_base
