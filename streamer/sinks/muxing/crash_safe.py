"""Crash-safe output files: their content can be read at any moment, also after a power failure.

FFmpeg's muxer for MP4 and related formats writes fragments, each with its own index, and at the end the index of an
ordinary file, which hides the fragments (`hybrid_fragmented`). Matroska has clusters; other containers are written
packet by packet. Options limit how long the muxer keeps packets in memory. Used by the thread that owns the sink.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PIECE_S = 0.5
"""Media time that a muxer keeps in memory: of a fragment or cluster, and of frames that wait for audio."""
FRAGMENTED = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "f4v", "psp"})
"""FFmpeg's names of the formats that its MP4 muxer writes."""
_CLUSTERED = ("matroska", "webm")
_PIECE_US = str(round(PIECE_S * 1_000_000))
_LEAD_S = "0.1"
_LAYOUT_FLAGS = ("frag", "empty_moov", "dash", "cmaf", "isml")
FASTSTART = "faststart"
"""FFmpeg cannot write fragments and move the index to the front in one pass; a second pass moves it."""


class WholeFile(io.FileIO):
    """A file whose `write` writes all data: FFmpeg takes a short write for a complete one."""

    def write(self, data: Any, /) -> int:
        """Write all of `data`; its length. Raises OSError."""
        view = memoryview(data)
        written = 0
        while written < len(view):
            written += super().write(view[written:]) or 0
        return written


class CrashSafeFile(WholeFile):
    """A file that can be read before, while and after its trailer is written.

    A muxer appends an index and then overwrites some earlier bytes, which make the index valid. These bytes are held
    back until everything else is on the disk: a power failure in between would leave a file that refers to a missing
    index.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self.bytes_written = 0
        self._trailer_at: int | None = None  # the size of the file before its trailer
        self._held: list[tuple[int, bytes]] = []

    def begin_trailer(self) -> None:
        """From now on, hold back what overwrites the file's content."""
        self._trailer_at = os.fstat(self.fileno()).st_size

    def write(self, data: Any, /) -> int:
        """Write all of `data`; its length. Raises OSError."""
        at = self.tell() if self._trailer_at is not None else 0
        if self._trailer_at is not None and at < self._trailer_at:
            self._held.append((at, bytes(data)))
            self.seek(at + len(data))
            return len(data)
        self.bytes_written += len(data)
        return super().write(data)

    def seal(self) -> None:
        """Sync the trailer to the disk, then write the bytes that make it valid. Raises OSError."""
        if self._held:
            os.fdatasync(self.fileno())
        for at, data in self._held:
            self.seek(at)
            super().write(data)
        self._held.clear()
        self._trailer_at = None


def crash_safe_options(kind: str, options: Mapping[str, str], *, index_first: bool = False) -> dict[str, str]:
    """The options of a muxer for a crash-safe file.

    Args:
        kind: FFmpeg's name of the container.
        options: other options; the user's layout of fragments is kept.
        index_first: as in `Muxer`.
    """
    # In FFmpeg, frames wait for late audio, 10 s by default.
    result = {"max_interleave_delta": _PIECE_US, **options}
    if kind == "mpegts":
        # Encoded audio begins a packet before 0. If it comes after its frames, they could not be shifted any more.
        result.setdefault("output_ts_offset", _LEAD_S)
    if kind in _CLUSTERED:
        result.setdefault("cluster_time_limit", str(round(PIECE_S * 1000)))
    if kind in FRAGMENTED:
        flags = options.get("movflags", "")
        if not any(word in flags for word in _LAYOUT_FLAGS):
            others = "".join(f"+{flag}" for flag in flags.replace("+", " ").split() if flag != FASTSTART)
            # The index waits for a packet of each stream, because it has the start times.
            when = "+empty_moov" if index_first else "+delay_moov"
            result["movflags"] = f"+hybrid_fragmented{when}{others}"
            result["use_editlist"] = "1"
            result["frag_duration"] = _PIECE_US
    return result


def second_pass(kind: str, options: Mapping[str, str]) -> dict[str, str] | None:
    """The options to rewrite a complete crash-safe file with; None if no second pass is needed."""
    flags = options.get("movflags", "")
    wanted = kind in FRAGMENTED and FASTSTART in flags and not any(word in flags for word in _LAYOUT_FLAGS)
    return {"movflags": flags} if wanted else None
