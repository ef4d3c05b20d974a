"""The header of a recording: `recording.json` says how the run was set up. Pure; any thread."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from streamer.errors import ConfigError, SourceUnavailable
from streamer.interfaces import StreamInfo
from streamer.replay.event_log import Record, first_problem
from streamer.values.labels import LabelTable
from streamer.values.states import Overlay

HEADER = "recording.json"


class Header(Record):
    """How a run was set up.

    Attributes:
        source: without credentials.
        overlay, delay_s: as for `streamer.pipeline.Pipeline`.
        every: about one of so many frames was selected for detection.
        detection_interval_s: media time between two selected frames, for the tracker.
        tracker, tracker_options: its name, and the options that the user set.
        names, mids: of the detector's label table.
        info: of the source.
    """

    version: Literal[1] = 1
    source: str
    overlay: Overlay
    delay_s: float | None
    every: int = Field(ge=1)
    detection_interval_s: float
    tracker: str
    tracker_options: dict[str, bool | int | float]
    names: tuple[str, ...]
    mids: tuple[str, ...]
    info: StreamInfo

    @property
    def labels(self) -> LabelTable:
        """The labels of the detections."""
        return LabelTable(self.names, self.mids)


def read_header(folder: Path) -> Header:
    """Read `recording.json`.

    Raises:
        SourceUnavailable: the folder is not a recording, or cannot be read.
        ConfigError: the file has another version, or is damaged.
    """
    path = folder / HEADER
    try:
        return Header.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SourceUnavailable(
            f"{folder} is not a recording ({HEADER}: {error.strerror}); give a folder that run --record wrote"
        ) from error
    except ValidationError as error:
        raise ConfigError(f"{path}: not what this version of run --record writes: {first_problem(error)}") from error
