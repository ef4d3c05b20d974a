"""The plan of a file: its parts, what identifies the file, and the settings that matter to detections.

Immutable; any thread may read it. `streamer.parts.planning` makes it with one pass of the demuxer.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import Field

from streamer.config.detector import DetectorSettings
from streamer.config.section import Section

FORMAT = 1
"""The version of the file format; a plan of another version is refused."""


class PlannedInput(Section):
    """What identifies the file.

    Attributes:
        path: as it was given to `plan`; relative paths are relative to the plan's folder.
        size_bytes: of the file.
        sha256: of the whole file.
        edges_sha256: of its first and last MiB, which a worker can check quickly.
    """

    path: str
    size_bytes: int
    sha256: str
    edges_sha256: str


class Part(Section):
    """The frames with `start_pts <= pts < end_pts`, and where a decoder must begin to get them.

    Attributes:
        number: from 0.
        start_pts, end_pts: ticks of the plan's time base; None for no bound (first and last part).
        seek_pts: pts of the keyframe to seek to; at least one GOP before `start_pts`. None: read from the start.
        first_index: `Frame.index` of its first frame in a run over the whole file, as far as the demuxer can tell.
        frames: about how many frames it has.
    """

    number: int
    start_pts: int | None = None
    end_pts: int | None = None
    seek_pts: int | None = None
    first_index: int = 0
    frames: int = 0

    def has(self, pts: int) -> bool:
        """Whether a frame of this time belongs to the part."""
        return (self.start_pts is None or pts >= self.start_pts) and (self.end_pts is None or pts < self.end_pts)


class Plan(Section):
    """How a file is split. JSON on disk.

    Attributes:
        format: version of the file format.
        input: what identifies the file.
        time_base: seconds per tick of all `pts`, as `1/90000`.
        frames: about how many frames the file has.
        source: the settings of the source that change its frames (`fps`, `deinterlace`).
        detector: all settings of the detector; its name may be the path of a model.
        model_sha256: identifies the model (`streamer.parts.worker.fingerprint`); empty if it is not known.
        parts: in order; together they have every frame exactly once.
    """

    format: int = FORMAT
    input: PlannedInput
    time_base: str
    frames: int
    source: dict[str, Any] = Field(default_factory=dict)
    detector: DetectorSettings = DetectorSettings()
    model_sha256: str = ""
    parts: tuple[Part, ...]

    @property
    def digest(self) -> str:
        """Identifies the plan: SHA-256 of its content; detections of another plan are refused."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def tick(self) -> Fraction:
        """Seconds per tick."""
        return Fraction(self.time_base)

    def part_of(self, pts: int) -> Part:
        """The part that a frame of this time belongs to."""
        return next(part for part in self.parts if part.has(pts))


def default_parts_folder(plan: Path) -> Path:
    """Where `run --plan` looks for parts: beside the plan."""
    return plan.absolute().parent
