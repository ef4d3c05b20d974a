"""What is written down of a run: `recording.json`, how it was run, and `events.jsonl`, what happened, a JSON object a
line, in the order in which it happened. Pure; any thread.

Numbers survive exactly: JSON has the shortest decimal text that gives the same binary float back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from streamer.errors import ConfigError, DetectorError, DetectorRestarted, SourceUnavailable
from streamer.interfaces import StreamInfo
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS
from streamer.values.delivery import Arrived, Detected
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState, Overlay
from tracking.types import Detections

log = logging.getLogger(__name__)

HEADER = "recording.json"
EVENTS = "events.jsonl"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Opened(_Record):
    """A stream was opened; the packets for its decoder are in `file`.

    `low_delay` is how its decoder was set.
    """

    event: Literal["opened"] = "opened"
    stream: int = Field(ge=0)
    file: str
    low_delay: bool


class Discarded(_Record):
    """The next packet (by its number from 0) of a stream was only there to decode others with: an edit list leaves its
    picture out. The file with the packets does not tell that.
    """

    event: Literal["discarded"] = "discarded"
    stream: int = Field(ge=0)
    packet: int = Field(ge=0)


class Captured(_Record):
    """A frame came; see `streamer.values.frame.Frame`. Its picture is the `number`-th of those that `file` decodes to.

    `format` is its pixel format, `colour` its H.273 codes (primaries, transfer, matrix) and FFmpeg's range code, `crc`
    the CRC-32 of its samples.
    """

    event: Literal["captured"] = "captured"
    index: int = Field(ge=0)
    pts: int
    time_base: Fraction
    captured_s: float
    segment: int = Field(ge=0)
    duration: int
    corrupt: bool
    damage: str
    raw_pts: int | None
    wall_clock_s: float | None
    file: str
    number: int = Field(ge=0)
    format: str
    colour: tuple[int, int, int, int]
    crc: int


class Arrival(_Record):
    """The main thread was given a frame that came."""

    event: Literal["arrival"] = "arrival"
    index: int = Field(ge=0)
    captured_s: float
    due_s: float = 0.0
    """When it was to be shown; 0 as it came."""
    late: bool = False
    """It should have been shown already, and others waited behind it."""

    @classmethod
    def of(cls, arrived: Arrived) -> Arrival:
        """The record of a delivered frame."""
        frame = arrived.frame
        return cls(index=frame.index, captured_s=frame.captured_s, due_s=arrived.due_s, late=arrived.late)


class Found(_Record):
    """`tracking.types.Detections`, column by column."""

    boxes: tuple[tuple[float, float, float, float], ...]
    scores: tuple[float, ...]
    labels: tuple[int, ...]

    @classmethod
    def of(cls, detections: Detections) -> Found:
        """What a detector found."""
        columns = (detections.boxes, detections.scores, detections.labels)
        boxes, scores, labels = (column.tolist() for column in columns)
        return cls(boxes=boxes, scores=scores, labels=labels)

    def detections(self) -> Detections:
        """The same again. Raises ValueError if that cannot be."""
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        return Detections(boxes, np.array(self.scores, np.float32), np.array(self.labels, np.int32))


class Failed(_Record):
    """How a detector failed: what the ledger calls it, and its message."""

    cause: str
    message: str

    def error(self) -> DetectorError:
        """The same again."""
        kind = DetectorRestarted if self.cause == DetectorRestarted.cause else DetectorError
        return kind(self.message)


class Result(_Record):
    """The main thread was given a frame that a detector was done with at `done_s`, after `detect_s`."""

    event: Literal["result"] = "result"
    index: int = Field(ge=0)
    captured_s: float
    detect_s: float
    done_s: float
    found: Found | None = None
    failed: Failed | None = None

    @classmethod
    def of(cls, result: Detected) -> Result:
        """The record of a delivered result."""
        error = result.error
        return cls(
            index=result.frame.index,
            captured_s=result.frame.captured_s,
            detect_s=result.detect_s,
            done_s=result.done_s,
            found=None if result.detections is None else Found.of(result.detections),
            failed=None if error is None else Failed(cause=error.cause, message=readable(SECRETS.hide(str(error)))),
        )


class Entered(_Record):
    """Frames came into the ledger."""

    event: Literal["entered"] = "entered"
    frames: int = Field(ge=1)


class Settled(_Record):
    """Frames reached their final state in the ledger."""

    event: Literal["settled"] = "settled"
    state: FrameState
    cause: str
    frames: int = Field(ge=1)


class Ended(_Record):
    """The recording is whole: `complete`, `interrupted`, or `failed` with the message of the error."""

    event: Literal["ended"] = "ended"
    state: Literal["complete", "interrupted", "failed"]
    message: str = ""


Event = Opened | Discarded | Captured | Arrival | Result | Entered | Settled | Ended
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class Header(_Record):
    """How a run was run.

    Attributes:
        source: without credentials.
        overlay, delay_s: as `streamer.pipeline.Pipeline` takes them.
        every: every so many frames were to be detected.
        detection_interval_s: media time from one of those to the next, as the tracker was told.
        tracker, tracker_options: its name, and the options that the user gave it.
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
        """Of the detections."""
        return LabelTable(self.names, self.mids)


def line_of(event: Event) -> str:
    """The event's line, with its newline."""
    return event.model_dump_json() + "\n"


def read_header(folder: Path) -> Header:
    """How the run was run.

    Raises:
        SourceUnavailable: the folder is no recording, or cannot be read.
        ConfigError: of another version, or damaged.
    """
    path = folder / HEADER
    try:
        return Header.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SourceUnavailable(
            f"{folder}: is no recording ({HEADER}: {error.strerror}); give a folder that run --record wrote"
        ) from error
    except ValidationError as error:
        raise ConfigError(f"{path}: not what this version of run --record writes: {_first(error)}") from error


def read_events(folder: Path, *, says: bool = False) -> Iterator[Event]:
    """What happened, in order. A last line that was cut off is left out.

    Args:
        folder: the recording.
        says: warn of such a line.

    Raises:
        SourceUnavailable: it cannot be read.
        ConfigError: a malformed line; the message has its number.
    """
    path = folder / EVENTS
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    if says:
                        log.warning("%s, line %d: cut off; the recording is played up to there", path, number)
                    return
                try:
                    yield _EVENT.validate_json(line)
                except ValidationError as error:
                    raise ConfigError(
                        f"{path}, line {number}: not what run --record writes: {_first(error)}"
                    ) from error
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror}") from error


def _first(error: ValidationError) -> str:
    told: dict[str, Any] = dict(error.errors(include_url=False, include_input=False)[0])
    return f"{'.'.join(map(str, told['loc']))}: {told['msg']}".removeprefix(": ")
