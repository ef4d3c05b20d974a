"""Reads what was counted by eye: `truth/<name>.yaml`, one file for each video."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from streamer.values.events import Points

FOLDER = Path(__file__).parent / "truth"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrueCrossing(_Part):
    """An object crossed; `frame` counts from 0."""

    frame: int
    direction: Literal["in", "out"]
    what: str


class TrueStay(_Part):
    """An object was in a zone from the first of `frames` until before the second one."""

    frames: tuple[int, int]
    what: str


class TrueLine(_Part):
    name: str
    points: Points
    crossings: tuple[TrueCrossing, ...]

    @property
    def counts(self) -> tuple[int, int]:
        """Crossings in and out."""
        directions = [one.direction for one in self.crossings]
        return directions.count("in"), directions.count("out")


class TrueZone(_Part):
    name: str
    points: Points
    stays: tuple[TrueStay, ...]


class Detecting(_Part):
    """A detector of the program with its own default score, or a file with detections of frames of this size."""

    name: str
    classes: tuple[str, ...] = ()
    size: tuple[int, int] | None = None


class Truth(_Part):
    """A video with what was counted by eye.

    Attributes:
        video: path in the folder of the data.
        sha256: of the video.
        fps: its frame rate.
        detectors: to count with; the first one is what a user should take.
    """

    video: str
    sha256: str
    fps: float
    detectors: tuple[Detecting, ...]
    lines: tuple[TrueLine, ...]
    zones: tuple[TrueZone, ...] = ()

    @property
    def name(self) -> str:
        """Name of the sequence or of the video."""
        path = Path(self.video)
        return path.parent.name if path.parent.name != "clips" else path.stem


def read_all(data: Path) -> list[Truth]:
    """All truths whose video is in the folder of the data.

    Raises:
        ValueError: a video is not the one that was counted.
    """
    found = []
    for file in sorted(FOLDER.glob("*.yaml")):
        truth = Truth.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
        video = data / truth.video
        if not video.is_file():
            continue
        if hashlib.sha256(video.read_bytes()).hexdigest() != truth.sha256:
            raise ValueError(f"{video} is not the video that was counted for {file.name}")
        found.append(truth)
    return found
