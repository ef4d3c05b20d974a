"""The playlist of a live HLS output: what it lists, by the rules of RFC 8216 for lists that grow. Pure, but for files.

The file is the state: a process that goes on with a folder, after an outage or another program, reads it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import m3u8

from streamer.system.partial_file import replace_file

LEAST_SEGMENTS = 6
_TARGETS_KEPT = 3  # durations of a segment at least (RFC 8216, 6.2.2)


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment in the list.

    Attributes:
        name: of its file.
        duration_s: of its pictures.
        began_s: when they were taken, seconds since 1970.
        discontinuity: it does not continue the one before.
    """

    name: str
    duration_s: float
    began_s: float
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class LivePlaylist:
    """A list of segments, with the numbers that must never go back.

    Attributes:
        target_s: no segment is longer; it never changes.
        number: of the first segment.
        discontinuities: how many there were before the first segment.
        entries: in order.
        ended: nothing will follow.
    """

    target_s: int
    number: int
    discontinuities: int = 0
    entries: tuple[Entry, ...] = ()
    ended: bool = False

    @property
    def next_number(self) -> int:
        """Of the segment that will be added."""
        return self.number + len(self.entries)

    def with_entry(self, entry: Entry) -> tuple[LivePlaylist, tuple[Entry, ...]]:
        """The list with another segment at its end, and those that had to go for it."""
        entries = (*self.entries, entry)
        gone = 0
        while len(entries) - gone > LEAST_SEGMENTS:
            left_s = sum(one.duration_s for one in entries[gone + 1 :])
            if left_s < _TARGETS_KEPT * self.target_s:
                break
            gone += 1
        return self._without(entries, gone), entries[:gone]

    def emptied(self) -> LivePlaylist:
        """What follows a list that is not gone on with: no segment of it, and numbers behind all of its own."""
        count = len(self.entries)
        return replace(self._without(self.entries, count), ended=False)

    def _without(self, entries: tuple[Entry, ...], gone: int) -> LivePlaylist:
        passed = sum(one.discontinuity for one in entries[:gone])
        return replace(
            self,
            number=self.number + gone,
            discontinuities=self.discontinuities + passed,
            entries=entries[gone:],
        )

    def text(self) -> str:
        """As it stands in the file."""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:6",
            f"#EXT-X-TARGETDURATION:{self.target_s}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.number}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuities}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        for one in self.entries:
            if one.discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            began = datetime.fromtimestamp(one.began_s, UTC).isoformat(timespec="milliseconds")
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{began.replace('+00:00', 'Z')}")
            lines += [f"#EXTINF:{one.duration_s:.6f},", one.name]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Replace the file at once: whoever reads it finds the whole list of before or of now."""
        replace_file(path, self.text().encode())


def read(path: Path) -> LivePlaylist | None:
    """The list that a file holds; None if there is none, or it is none of this program's."""
    try:
        text = path.read_text(encoding="utf-8")
        if not text.startswith("#EXTM3U"):
            return None
        found = m3u8.loads(text)
        entries = tuple(
            Entry(
                one.uri,
                float(one.duration),
                0.0 if one.program_date_time is None else one.program_date_time.timestamp(),
                bool(one.discontinuity),
            )
            for one in found.segments
        )
        target_s, number = int(found.target_duration), int(found.media_sequence)
        return LivePlaylist(target_s, number, int(found.discontinuity_sequence or 0), entries, bool(found.is_endlist))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, m3u8.ParseError):
        return None


def is_there(path: Path, entry: Entry) -> bool:
    """Whether the file of a segment is beside the list."""
    return os.sep not in entry.name and (path.parent / entry.name).is_file()
