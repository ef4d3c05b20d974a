"""The plan of a file: its parts, what identifies the file, and the settings that matter to detections.

Immutable; any thread may read it. `streamer.parts.planning` makes it with one pass of the demuxer.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from fractions import Fraction
from functools import cached_property
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


class SeekPoint(Section):
    """The keyframe at which a decoder begins.

    Attributes:
        pts: of the keyframe, by which it is found after the seek.
        target: the time to seek to: its decoding time where that is earlier.
        leading: how many packets after it are shown before it. They may need earlier frames, so they may fail.
        checked_to: pts of the next keyframe. No other packet before it may fail; otherwise the file is read from its
            start.
        digest: of its first packets; those that are read after the seek must be the same.
    """

    pts: int
    target: int
    leading: int
    checked_to: int
    digest: str


class Part(Section):
    """The frames with `start_pts <= pts < end_pts`, and where a decoder must begin to get them.

    Attributes:
        number: from 0.
        start_pts, end_pts: ticks of the plan's time base; None for no bound (first and last part).
        seek: a keyframe at least one group of pictures before `start_pts`. None: read from the start.
        first_index: `Frame.index` of its first frame in a run over the whole file, as far as the demuxer can tell.
        frames: about how many frames it has.
    """

    number: int
    start_pts: int | None = None
    end_pts: int | None = None
    seek: SeekPoint | None = None
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
        size: width and height of the stored pictures, pixels; a detector on a GPU is warmed up with it.
        source: the settings of the source that change its frames (`fps`, `deinterlace`).
        decoder_threads: how many threads each worker decodes with; frames of damaged packets depend on it.
        detector: all settings of the detector; its name may be the path of a model.
        extensions: settings of a detector of another package, by its name.
        model_sha256: identifies the model (`streamer.detectors.selection.model_sha256`); empty if it is not known.
        parts: in order; together they have every frame exactly once.
    """

    format: int = FORMAT
    input: PlannedInput
    time_base: str
    frames: int
    size: tuple[int, int] = (0, 0)
    source: dict[str, Any] = Field(default_factory=dict)
    decoder_threads: int = 1
    detector: DetectorSettings = DetectorSettings()
    extensions: dict[str, dict[str, Any]] = Field(default_factory=dict)
    model_sha256: str = ""
    parts: tuple[Part, ...] = Field(min_length=1)

    @cached_property
    def digest(self) -> str:
        """Identifies the plan; detections of another plan are refused.

        SHA-256 of its content without the path of the input: a worker may have the file in another place.
        """
        same = self.model_copy(update={"input": self.input.model_copy(update={"path": ""})})
        return hashlib.sha256(same.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """One line of JSON in ASCII; `json.loads` and `model_validate` read it.

        `model_dump_json` refuses the name of a file that is not UTF-8.
        """
        return json.dumps(self.model_dump(mode="json"))

    @property
    def tick(self) -> Fraction:
        """Seconds per tick."""
        return Fraction(self.time_base)

    def part_of(self, pts: int) -> Part:
        """The part that a frame of this time belongs to."""
        return self.parts[bisect_right(self._starts, pts)]

    @cached_property
    def _starts(self) -> list[int]:
        return [part.start_pts for part in self.parts[1:] if part.start_pts is not None]
