"""A strict player of live HLS: it polls the playlist and checks it against RFC 8216."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import av

_EVERY_S = 0.05
_PACKET_BYTES = 188


@dataclass
class Seen:
    """A segment as it was first listed.

    Attributes:
        number, period: media sequence number and discontinuity sequence number.
        duration_s, name: as listed.
        began_s: program date time, seconds since 1970; None without one.
        content: of the file.
    """

    number: int
    period: int
    duration_s: float
    name: str
    began_s: float | None
    content: bytes = b""


@dataclass
class HlsReader:
    """What a player saw of one playlist; broken rules fail in `check`.

    Attributes:
        path: of the playlist.
        segments: all listed segments, by number.
        target_s: the target duration.
        ended: the playlist was marked as ended.
        faults: rules that were broken.
    """

    path: Path
    segments: dict[int, Seen] = field(default_factory=dict)
    target_s: int | None = None
    ended: bool = False
    faults: list[str] = field(default_factory=list)
    _text: str = ""
    _window: tuple[int, int] = (0, -1)
    _longest_s: float = 0.0
    _gone: list[tuple[float, Seen]] = field(default_factory=list)

    def poll(self) -> None:
        """Read the playlist, and check the files that must still exist."""
        for until_s, seen in self._gone:
            if time.monotonic() < until_s and not (self.path.parent / seen.name).exists():
                self.faults.append(f"{seen.name} was deleted too early")
        self._gone = [one for one in self._gone if time.monotonic() < one[0]]
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        if text != self._text:
            if self.ended:
                self.faults.append("the playlist changed after its end")
            self._text = text
            self._read(text)

    def _read(self, text: str) -> None:
        lines = text.splitlines()
        if lines[0] != "#EXTM3U" or not text.endswith("\n"):
            self.faults.append("not a whole playlist")
        listed = self._listed(lines)
        self.ended = "#EXT-X-ENDLIST" in lines
        for seen in listed:
            known = self.segments.get(seen.number)
            if known is None:
                seen.content = (self.path.parent / seen.name).read_bytes()
                self.segments[seen.number] = seen
            elif (known.period, known.duration_s, known.name, known.began_s) != (
                seen.period,
                seen.duration_s,
                seen.name,
                seen.began_s,
            ):
                self.faults.append(f"segment {seen.number} changed: {known.name} {seen.name}")
            if not (self.path.parent / seen.name).exists():
                self.faults.append(f"{seen.name} is listed and does not exist")
        if not listed:
            return
        first, last = listed[0].number, listed[-1].number
        if first < self._window[0] or last < self._window[1]:
            self.faults.append(f"numbers decreased: {self._window} {first, last}")
        gone = [one for number, one in self.segments.items() if self._window[0] <= number < first]
        whole_s = sum(one.duration_s for one in listed)
        if gone and self.target_s is not None and whole_s < 3 * self.target_s:
            self.faults.append(f"only {whole_s:.1f} s are listed")
        self._gone += [(time.monotonic() + one.duration_s + self._longest_s, one) for one in gone]
        self._longest_s = max(self._longest_s, whole_s)
        self._window = first, last

    def _listed(self, lines: list[str]) -> list[Seen]:
        number = period = 0
        duration_s, began_s = 0.0, None
        listed: list[Seen] = []
        for line in lines:
            tag, _, value = line.partition(":")
            if tag == "#EXT-X-TARGETDURATION":
                if self.target_s not in (None, int(value)):
                    self.faults.append(f"the target duration changed from {self.target_s} to {value}")
                self.target_s = int(value)
            elif tag == "#EXT-X-MEDIA-SEQUENCE":
                number = int(value)
            elif tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
                period = int(value)
            elif line == "#EXT-X-DISCONTINUITY":
                period += 1
            elif tag == "#EXT-X-PROGRAM-DATE-TIME":
                began_s = datetime.fromisoformat(value).timestamp()
            elif tag == "#EXTINF":
                duration_s = float(value.rstrip(","))
            elif line and not line.startswith("#"):
                listed.append(Seen(number, period, duration_s, line, began_s))
                number, began_s = number + 1, None
        return listed

    def check(self) -> None:
        """Check all rules."""
        assert self.faults == []
        assert self.segments
        assert self.target_s is not None
        numbers = sorted(self.segments)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        for seen in self.segments.values():
            assert round(seen.duration_s) <= self.target_s, seen.name
        for before, after in self.neighbours():
            assert after.period - before.period in (0, 1)
            if after.period == before.period:
                _check_continuity(before, after)
        for seen in self.segments.values():
            _check_segment(seen)

    def neighbours(self) -> Iterator[tuple[Seen, Seen]]:
        """Each segment with the next."""
        yield from pairwise(self.segments[number] for number in sorted(self.segments))

    @property
    def periods(self) -> list[int]:
        """The observed discontinuity sequence numbers."""
        return sorted({one.period for one in self.segments.values()})


@contextmanager
def reading(path: Path) -> Iterator[HlsReader]:
    """A reader that polls on its own thread while this context is entered."""
    reader = HlsReader(path)
    over = threading.Event()

    def poll() -> None:
        while not over.wait(_EVERY_S):
            reader.poll()

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield reader
    finally:
        over.set()
        thread.join()
        reader.poll()


def _packets(seen: Seen) -> list[tuple[float, bool]]:
    """Time and keyframe flag of each video packet."""
    with av.open(io.BytesIO(seen.content), "r", format="mpegts") as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        packets = [one for one in container.demux(stream) if one.size]
        return [(float((one.pts or 0) * stream.time_base), one.is_keyframe) for one in packets]


def _check_segment(seen: Seen) -> None:
    """The segment begins with a keyframe, and every frame decodes without another segment."""
    packets = _packets(seen)
    assert packets, seen.name
    assert packets[0][1], seen.name
    assert packets[-1][0] - packets[0][0] < seen.duration_s + 0.001
    with av.open(io.BytesIO(seen.content), "r", format="mpegts") as container:
        shown = list(container.decode(video=0))
    assert len(shown) == len(packets), seen.name
    assert not any(one.is_corrupt for one in shown)


def _check_continuity(before: Seen, after: Seen) -> None:
    """Within a period times, dates and packet counters are continuous."""
    step_s = _packets(after)[0][0] - _packets(before)[0][0]
    assert abs(step_s - before.duration_s) < 0.002, (before.name, step_s, before.duration_s)
    if before.began_s is not None and after.began_s is not None:
        assert abs(after.began_s - before.began_s - before.duration_s) < 0.01
    last, first = _counters(before.content), _counters(after.content)
    assert {pid: (last[pid][1] + 1) & 15 for pid in first} == {pid: first[pid][0] for pid in first}


def _counters(content: bytes) -> dict[int, tuple[int, int]]:
    """The first and the last counter of each PID that has a payload."""
    found: dict[int, tuple[int, int]] = {}
    for at in range(0, len(content), _PACKET_BYTES):
        packet = content[at : at + _PACKET_BYTES]
        if packet[3] & 0x10:
            pid, counter = (packet[1] & 0x1F) << 8 | packet[2], packet[3] & 15
            if pid in found:
                assert counter == (found[pid][1] + 1) & 15
            found[pid] = found.get(pid, (counter, 0))[0], counter
    return found
