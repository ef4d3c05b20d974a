"""The files of a continuous recording, as the recording reports them. Immutable; any thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class RecordedFileState(StrEnum):
    """What has happened to a file of a recording."""

    OPEN = "open"
    """It has its first frame, under a hidden name (`streamer.system.partial_file`)."""
    COMPLETE = "complete"
    """It has its name and does not change any more."""
    REMOVED = "removed"
    """It was deleted, because of the limits of the recording."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file of a continuous recording.

    Attributes:
        path: of the complete file, absolute.
        state: see `RecordedFileState`.
        recording: the pattern of the names of its files, as in the settings.
        start_time: when its first frame arrived, seconds since 1970; None if it is not known, as of a file that a
            killed program left.
        start_s: media time of its first frame in the run, seconds; None if it is not known. Frame times in the file
            begin at 0.
        duration_s: media time from its first frame to the end of its last one; None of a file that is open or removed.
    """

    path: Path
    state: RecordedFileState
    recording: str
    start_time: float | None = None
    start_s: float | None = None
    duration_s: float | None = None
