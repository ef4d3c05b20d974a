"""The detections of one part, as a worker makes them and the join takes them. Immutable; any thread may read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streamer.values.labels import LabelTable
from tracking.types import Detections

JOINED = "joined"
"""The count of frames whose detections came from a part."""
DETECTED_HERE = "detected here"
"""The count of frames that the join had to detect, by cause."""
MISSING, DIFFERING = "missing", "differing"
"""The causes: no part has the frame, or the worker has decoded another picture."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameDetections:
    """The detections of one frame.

    Attributes:
        pts: of the frame, ticks of the plan's time base.
        picture_digest: of the decoded picture, from `streamer.parts.digests`.
        detections: exactly as the detector returned them, before the class filter.
    """

    pts: int
    picture_digest: bytes
    detections: Detections


@dataclass(frozen=True, slots=True)
class Worker:
    """What can change the numbers of a detector.

    Attributes:
        machine: CPU model and flags, GPU.
        versions: of the libraries that decode and detect, by name.
        model: SHA-256 of the model's files; empty if there are none.
        precision: of the arithmetic, such as `float32`.
        canary: SHA-256 of the exact detections on the canary frame.
    """

    machine: str
    versions: Mapping[str, str]
    model: str
    precision: str
    canary: str


@dataclass(frozen=True, slots=True, eq=False)
class PartDetections:
    """A complete part.

    Attributes:
        plan_digest: of the plan it was made for.
        number: of the part.
        worker: who detected it.
        labels: the classes of the detector.
        frames: by pts. A frame that the detector failed on is missing.
    """

    plan_digest: str
    number: int
    worker: Worker
    labels: LabelTable
    frames: Mapping[int, FrameDetections] = field(default_factory=dict)


class PartSupply(Protocol):
    """Where the join gets the parts from: a folder, or a cluster. One detector thread calls `wait`, in order."""

    def wait(self, number: int) -> PartDetections | None:
        """The part, as soon as it is complete; None if it will not come, so its frames are detected here.

        Raises:
            ConfigError: it belongs to another plan, or its worker differs from the others.
            Interrupted: `close` was called.
        """
        ...

    def close(self) -> None:
        """Any thread: wakes `wait`; no more parts are needed. Calling it twice is fine."""
        ...


def part_names(numbers: Sequence[int]) -> str:
    """Parts for a message: `part 3`, `parts 3, 5 to 7`.

    Args:
        numbers: rising; at least one.
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"part{'s' * (len(numbers) > 1)} {', '.join(shown)}"
