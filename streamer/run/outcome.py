"""How one of several runs ended: its figures, or its error. Immutable; any thread may read them.

A program that runs thousands of inputs keeps all of them, so they are small: no frame, no histogram, no traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from streamer.errors import Interrupted
from streamer.observe.report import Report

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The main figures of a report.

    Attributes:
        state: as of `Report`.
        frames: that were shown.
        fps: frames per second of the run.
        objects: number of objects by class name, as in the report.
        outputs: the finished files.
    """

    state: str
    frames: int
    fps: float
    objects: Mapping[str, int] = field(default_factory=dict)
    outputs: Sequence[str] = ()

    @classmethod
    def of(cls, report: Report) -> Self:
        """The figures of a report."""
        stats = report.stats
        objects = dict(stats.tracks.by_class)
        return cls(report.state, stats.shown, stats.throughput_fps, objects, tuple(report.outputs))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one of several runs.

    Attributes:
        source: readable name of the input.
        figures: None if the run failed before its first frame.
        error: that ended the run; None if it is complete.
    """

    source: str
    figures: RunFigures | None
    error: BaseException | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the user ended the run."""
        return isinstance(self.error, Interrupted | KeyboardInterrupt)

    @property
    def failed(self) -> bool:
        """Whether an error ended the run."""
        return self.error is not None and not self.interrupted

    def without_traceback(self) -> Self:
        """Itself; the tracebacks of its error, which keep the frames of the video in memory, are removed."""
        for error in _chain(self.error):
            error.__traceback__ = None
        return self


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a disk had no more room, so that other runs fail, too."""
    return any(getattr(one, "errno", None) in _FULL for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that caused it."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
