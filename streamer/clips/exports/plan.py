"""Which parts of which recorded files make up a time span. Pure functions, except those that look at the disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import av

from streamer.sinks.video.segment_names import NamePattern, intended, partial_stem, partials_of
from streamer.store.recordings import StoredRecording
from streamer.system import paths

GAP_S = 1.0
"""A shorter pause between two files is no gap: files follow one another with the jitter of the network."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time span, seconds since 1970."""

    start_time: float
    end_time: float


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a part of it.

    Attributes:
        path: the file to read; a hidden one while it is written.
        start_time: of its first frame, seconds since 1970.
        from_s, to_s: the part, in seconds after its first frame; None for its begin and its end.
    """

    path: Path
    start_time: float
    from_s: float | None = None
    to_s: float | None = None


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is copied.

    Attributes:
        parts: in order; at least one.
        gaps: the parts of the span without a file.
        span: as it was asked for.
    """

    parts: Sequence[Part]
    gaps: Sequence[Span]
    span: Span


def make_plan(files: Iterable[StoredRecording], span: Span) -> ExportPlan | None:
    """The parts of files that have a span; None if no file has a frame of it. Pure.

    Args:
        files: of one recording. One that has no `end_time` is still written: it lasts until the next one, or to the end
            of the span.
        span: its end is not in it.
    """
    ordered = sorted(files, key=lambda file: file.start_time)
    parts, gaps, covered = [], [], span.start_time
    for at, file in enumerate(ordered):
        following = ordered[at + 1].start_time if at + 1 < len(ordered) else span.end_time
        end_time = max(following, file.start_time) if file.end_time is None else file.end_time
        if end_time <= span.start_time or file.start_time >= span.end_time:
            continue
        if file.start_time - covered > GAP_S:
            gaps.append(Span(covered, file.start_time))
        from_s = span.start_time - file.start_time if file.start_time < span.start_time else None
        to_s = span.end_time - file.start_time if end_time > span.end_time or file.end_time is None else None
        parts.append(Part(file.path, file.start_time, from_s, to_s))
        covered = max(covered, end_time)
    if not parts:
        return None
    if span.end_time - covered > GAP_S:
        gaps.append(Span(covered, span.end_time))
    return ExportPlan(parts, gaps, span)


def existing(files: Iterable[StoredRecording]) -> list[StoredRecording]:
    """The files that exist, each with the path to read: a file has a hidden name until it is complete."""
    found = []
    for file in files:
        if paths.is_file(file.path):
            found.append(file)
        elif partial := next(partials_of(file.path), None):
            found.append(replace(file, path=partial))
    return found


def named_files(pattern: str, span: Span) -> list[StoredRecording]:
    """The files of a recording that may have frames of a span, by their names alone: without a store.

    A file begins at the time in its name, which is that of this machine's time zone; a name without a whole time of day
    counts by the last change of the file and its duration. The file that is being written has a hidden name.

    Raises:
        SinkUnavailable: the pattern is none of a recording.
    """
    names = NamePattern(pattern)
    whole = ((names.begin_of(path), path) for path in names.files())
    written = ((names.begin_of(intended(path)), path) for path in names.partials())
    files = sorted((*whole, *written), key=lambda one: (one[0] or 0.0, one[1]))
    found = []
    for at, (begin, path) in enumerate(files):
        following = files[at + 1][0] if at + 1 < len(files) else None
        is_outside = begin is not None and (begin >= span.end_time or (following or span.end_time) <= span.start_time)
        if not is_outside and (file := _probed(path, pattern, begin)) is not None:
            found.append(file)
    return found


def _probed(path: Path, pattern: str, begin: float | None) -> StoredRecording | None:
    """A file with its duration; None if it cannot be read."""
    with suppress(av.error.FFmpegError, OSError), av.open(f"file:{path}", metadata_errors="replace") as read:
        lasts_s = (read.duration or 0) / av.time_base
        start_time = path.stat().st_mtime - lasts_s if begin is None else begin
        is_written = partial_stem(path) is not None
        return StoredRecording(path, pattern, start_time, None if is_written else start_time + lasts_s)
    return None
