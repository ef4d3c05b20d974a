"""The playlist of a live HLS output, by the rules of RFC 8216 for live playlists.

The file is the state: a process that continues a folder after an outage or another program reads it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import m3u8

from streamer.system.partial_file import replace_file

LEAST_SEGMENTS = 6
_TARGETS_KEPT = 3  # target durations at least (RFC 8216, 6.2.2)


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment in the playlist.

    Attributes:
        name: of the file.
        duration_s: media time of its frames.
        began_s: wall clock at its first frame, seconds since 1970.
        discontinuity: it does not continue the segment before.
    """

    name: str
    duration_s: float
    began_s: float
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class LivePlaylist:
    """Segments with the numbers that must never decrease.

    Attributes:
        target_s: the target duration: no segment is longer, and it never changes.
        number: of the first segment.
        discontinuities: number of them before the first segment.
        entries: in order.
        ended: no segment will follow.
    """

    target_s: int
    number: int
    discontinuities: int = 0
    entries: tuple[Entry, ...] = ()
    ended: bool = False

    @property
    def next_number(self) -> int:
        """Number of the segment that is added next."""
        return self.number + len(self.entries)

    def with_entry(self, entry: Entry) -> tuple[LivePlaylist, tuple[Entry, ...]]:
        """The playlist with another segment at its end, and the segments that were dropped."""
        entries = (*self.entries, entry)
        dropped = 0
        while len(entries) - dropped > LEAST_SEGMENTS:
            left_s = sum(one.duration_s for one in entries[dropped + 1 :])
            if left_s < _TARGETS_KEPT * self.target_s:
                break
            dropped += 1
        return self._without(entries, dropped), entries[:dropped]

    def emptied(self) -> LivePlaylist:
        """A playlist without segments whose numbers follow those of this one."""
        count = len(self.entries)
        return replace(self._without(self.entries, count), ended=False)

    def _without(self, entries: tuple[Entry, ...], count: int) -> LivePlaylist:
        passed = sum(one.discontinuity for one in entries[:count])
        return replace(
            self,
            number=self.number + count,
            discontinuities=self.discontinuities + passed,
            entries=entries[count:],
        )

    def text(self) -> str:
        """The content of the file."""
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
        """Replace the file atomically."""
        replace_file(path, self.text().encode())


def read(path: Path) -> LivePlaylist | None:
    """The playlist in a file; None if there is no file, or it is not readable as a playlist."""
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


def exists(path: Path, entry: Entry) -> bool:
    """Whether the file of a segment is beside the playlist."""
    return os.sep not in entry.name and (path.parent / entry.name).is_file()
