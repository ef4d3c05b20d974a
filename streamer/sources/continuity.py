"""One clock for all streams of an input that goes on where the time stamps begin anew or jump.

Recordings that were joined byte by byte (broadcasts, dashcams, recorders) start their clock again in every part, and
transport streams jump where reception was lost. Every such place gets one offset, the same for all streams, so that
sound and picture stay as they are in each part. Owned by the thread that reads the input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from av.packet import Packet
from av.stream import Disposition

BACK_S = Fraction(1, 2)
"""A decoding time that lies this far before what came last is a clock that began anew."""
FORWARD_S = 10
"""A step forwards that is longer is a jump, where the format is one whose clock may jump (FFmpeg's
`dts_delta_threshold`); shorter ones are pauses."""
ABSURD_S = 30 * 3600
"""Likewise in any format (FFmpeg's `dts_error_threshold`)."""
_ACTIVE_S = 5
"""A stream that has had no packet for so long is not waited for at a restart."""
_HELD_S = 3
_HELD_PACKETS = 4000
"""How much of the new part is looked at for the streams that have not come to it yet."""


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """Where the clock of an input was mended.

    Attributes:
        time: of all streams, where the new part goes on, seconds.
        offset: what is added to the times of the new part, beyond what was added before, seconds.
    """

    time: Fraction
    offset: Fraction

    def __str__(self) -> str:
        what = "begins anew" if self.offset > 0 else "jumps"
        return (
            f"the clock {what} at {float(self.time):.3f} s: all streams go on from there ({float(self.offset):+.3f} s)"
        )


@dataclass(slots=True)
class _Last:
    """The last packet of a stream in a part, in raw seconds."""

    time: Fraction
    end: Fraction


@dataclass(slots=True)
class _Part:
    """A stretch of the input with one clock, in raw seconds."""

    last: dict[int, _Last] = field(default_factory=dict)
    now: Fraction | None = None  # of all streams
    start: Fraction | None = None  # the earliest presentation
    end: Fraction | None = None  # the latest

    def distance(self, index: int, time: Fraction) -> Fraction | None:
        """How far a time is from what comes next: of the stream, or of all of them, whichever is nearer."""
        if self.now is None:
            return None
        last = self.last.get(index)
        steps = [time - self.now] if last is None else [time - self.now, time - last.end]
        return min(steps, key=abs)

    def take(self, index: int, time: Fraction, start: Fraction, end: Fraction) -> None:
        self.last[index] = _Last(time, end)
        self.now = time if self.now is None else max(self.now, time)
        self.start = start if self.start is None else min(self.start, start)
        self.end = end if self.end is None else max(self.end, end)


class ContinuousClock:
    """Moves the times of packets so that they go on over restarts and jumps.

    Only audio and video decide where that is; the packets of other streams go with the part that they are nearer to.

    Args:
        jumps: the format's clock may jump (MPEG-TS, MPEG-PS, FLV), not only begin anew.

    Attributes:
        discontinuities: what was mended since the owner last emptied the list.
        offset: what is added at the moment, seconds.
    """

    def __init__(self, *, jumps: bool) -> None:
        self.discontinuities: list[Discontinuity] = []
        self.offset = Fraction(0)
        self._forward_s = FORWARD_S if jumps else ABSURD_S
        self._part = _Part()
        self._next: _Part | None = None  # the part that begins; packets are held meanwhile
        self._held: list[tuple[Packet[Any], bool]] = []  # and whether they are of that part

    def place(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """The packets that can go on, with their times moved; in the order in which they were read."""
        time = _time_of(packet)
        if time is None:
            yield from self._hold(packet, False) if self._next is not None else iter((packet,))
            return
        breaks = self._breaks(self._part, packet, time)
        if self._next is not None and breaks and self._breaks(self._next, packet, time):
            yield from self._join()  # another one already
            breaks = self._breaks(self._part, packet, time)
        if self._next is None and breaks:
            self._next = _Part()
        if self._next is None:
            self._note(self._part, packet, time)
            yield self._moved(packet)
            return
        newer = self._is_newer(self._next, packet, time)
        if not newer and packet.stream_index in self._next.last:
            yield from self._reject()
            self._note(self._part, packet, time)
            yield self._moved(packet)
            return
        self._note(self._next if newer else self._part, packet, time)
        yield from self._hold(packet, newer)

    def finish(self) -> Iterator[Packet[Any]]:
        """What is still held, at the end of the input."""
        if self._next is not None:
            yield from self._join()

    def _breaks(self, part: _Part, packet: Packet[Any], time: Fraction) -> bool:
        if not _decides(packet) or packet.stream_index not in part.last:
            return False
        distance = part.distance(packet.stream_index, time)
        return distance is not None and (distance < -BACK_S or distance > self._forward_s)

    def _is_newer(self, begun: _Part, packet: Packet[Any], time: Fraction) -> bool:
        old = self._part.distance(packet.stream_index, time)
        new = begun.distance(packet.stream_index, time)
        return old is None or new is None or abs(new) < abs(old)

    def _reject(self) -> Iterator[Packet[Any]]:
        """A stream goes on with the old clock: what looked like a new part were time stamps that are broken."""
        held, self._held, self._next = self._held, [], None
        for packet, newer in held:
            if newer:
                packet.pts = packet.dts = None
            yield self._moved(packet)

    def _note(self, part: _Part, packet: Packet[Any], time: Fraction) -> None:
        if not _decides(packet):
            return
        last = part.last.get(packet.stream_index)
        lasts = (packet.duration or 0) * packet.time_base
        if lasts <= 0 or lasts > 1:  # unknown or absurd: as long as the one before
            lasts = min(max(time - last.time, Fraction(0)), Fraction(1)) if last is not None else Fraction(0)
        shown = time if packet.pts is None else packet.pts * packet.time_base
        part.take(packet.stream_index, time, shown, shown + lasts)

    def _hold(self, packet: Packet[Any], newer: bool) -> Iterator[Packet[Any]]:
        begun = self._next
        assert begun is not None
        self._held.append((packet, newer))
        now = self._part.now
        active = [i for i, last in self._part.last.items() if now is None or last.time > now - _ACTIVE_S]
        seen = all(index in begun.last for index in active)
        spans = begun.now is not None and begun.start is not None and begun.now - begun.start > _HELD_S
        if seen or spans or len(self._held) >= _HELD_PACKETS:
            yield from self._join()

    def _join(self) -> Iterator[Packet[Any]]:
        """Let the new part begin where all streams of the old one have ended."""
        begun = self._next
        assert begun is not None
        before, held = self.offset, self._held
        end, start = self._part.end or Fraction(0), begun.start or Fraction(0)
        after = before + end - start
        self._held, self._next, self._part = [], None, begun
        for packet, newer in held:
            self.offset = after if newer else before
            yield self._moved(packet)
        self.offset = after
        self.discontinuities.append(Discontinuity(start + after, after - before))

    def _moved(self, packet: Packet[Any]) -> Packet[Any]:
        if self.offset:
            ticks = round(self.offset / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return packet


def _decides(packet: Packet[Any]) -> bool:
    stream = packet.stream
    return stream.type in ("audio", "video") and not stream.disposition & Disposition.attached_pic


def _time_of(packet: Packet[Any]) -> Fraction | None:
    ticks = packet.pts if packet.dts is None else packet.dts
    return None if ticks is None or not packet.time_base else ticks * packet.time_base
