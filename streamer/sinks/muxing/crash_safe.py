"""How an output file is written so that what is in it can be read at any moment, also after a power cut.

FFmpeg's muxers for MP4 and its relatives write fragments, each with its own index, and at the end the index of an
ordinary file behind them, which hides the fragments (`hybrid_fragmented`). Matroska is written in clusters, other
containers packet by packet. What remains to be limited is how long a muxer keeps packets in memory. Used by the thread
that owns the sink.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PIECE_S = 0.5
"""Media time that a muxer keeps in memory: of a fragment or cluster, and of pictures that wait for their sound."""
FRAGMENTED = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "f4v", "psp"})
"""FFmpeg's names of the containers that its muxer for MP4 writes."""
_CLUSTERED = ("matroska", "webm")
_PIECE_US = str(round(PIECE_S * 1_000_000))
_LEAD_S = "0.1"
_LAID_OUT = ("frag", "empty_moov", "dash", "cmaf", "isml")
FASTSTART = "faststart"
"""FFmpeg cannot write fragments and move the index to the front in one go; a second pass does it."""


class WholeFile(io.FileIO):
    """A file whose `write` writes all that it is given: FFmpeg takes a short write for a complete one."""

    def write(self, data: Any, /) -> int:
        """All of `data`, or the error that stopped it."""
        view = memoryview(data)
        written = 0
        while written < len(view):
            written += super().write(view[written:]) or 0
        return written


class CrashSafeFile(WholeFile):
    """A file that can be read before, during and after its ending is written.

    A muxer ends a file by appending an index and then writing over some bytes further up, which make it valid. Those
    bytes are kept until all else is on the disk: a power cut between the two would leave a file that promises an index
    that is not there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self.bytes_written = 0
        self._ending_at: int | None = None  # the size that the file had when its ending began
        self._kept: list[tuple[int, bytes]] = []

    def begin_ending(self) -> None:
        """From now on, keep what is written over the file's content."""
        self._ending_at = os.fstat(self.fileno()).st_size

    def write(self, data: Any, /) -> int:
        """All of `data`, or the error that stopped it."""
        at = self.tell() if self._ending_at is not None else 0
        if self._ending_at is not None and at < self._ending_at:
            self._kept.append((at, bytes(data)))
            self.seek(at + len(data))
            return len(data)
        self.bytes_written += len(data)
        return super().write(data)

    def seal(self) -> None:
        """Put the ending on the disk, then what makes it valid. Raises OSError."""
        if self._kept:
            os.fdatasync(self.fileno())
        for at, data in self._kept:
            self.seek(at)
            super().write(data)
        self._kept.clear()
        self._ending_at = None


def crash_safe_options(kind: str, options: Mapping[str, str], *, index_first: bool = False) -> dict[str, str]:
    """The options for a muxer that is to keep little in memory.

    Args:
        kind: FFmpeg's name of the container.
        options: what else the muxer gets; a layout of fragments that the user chose stays as it is.
        index_first: see `Muxer`.
    """
    # Pictures wait in FFmpeg for sound that comes behind them, 10 s by default.
    result = {"max_interleave_delta": _PIECE_US, **options}
    if kind == "mpegts":
        # Encoded sound begins a packet before 0. Where it comes behind its pictures, it would be too late to move them.
        result.setdefault("output_ts_offset", _LEAD_S)
    if kind in _CLUSTERED:
        result.setdefault("cluster_time_limit", str(round(PIECE_S * 1000)))
    if kind in FRAGMENTED:
        flags = options.get("movflags", "")
        if not any(word in flags for word in _LAID_OUT):
            others = "".join(f"+{flag}" for flag in flags.replace("+", " ").split() if flag != FASTSTART)
            # The index of the fragments waits for a packet of each stream, so that it can tell when each begins.
            when = "+empty_moov" if index_first else "+delay_moov"
            result["movflags"] = f"+hybrid_fragmented{when}{others}"
            result["use_editlist"] = "1"
            result["frag_duration"] = _PIECE_US
    return result


def second_pass(kind: str, options: Mapping[str, str]) -> dict[str, str] | None:
    """The options for writing a file that survives a second time, once it is complete; None where none is needed."""
    flags = options.get("movflags", "")
    wanted = kind in FRAGMENTED and FASTSTART in flags and not any(word in flags for word in _LAID_OUT)
    return {"movflags": flags} if wanted else None
