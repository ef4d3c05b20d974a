"""The events of a recording, in order: `events.jsonl`, one JSON object a line. Pure; any thread.

Numbers survive exactly: JSON has the shortest decimal text that converts back to the same binary float.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import av
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from streamer.errors import ConfigError, DetectorError, DetectorRestarted, DetectorUnreachable, SourceUnavailable
from streamer.replay.pixel_data import colour_of
from streamer.system.paths import encodable, readable
from streamer.system.secrets import SECRETS
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tracking.types import Detections

log = logging.getLogger(__name__)

EVENTS = "events.jsonl"
_OF_FRAME = (
    "index", "pts", "time_base", "captured_s", "segment", "duration", "corrupt", "damage", "raw_pts", "wall_clock_s",
    "arrival_wall_clock_s",
)  # fmt: skip
"""Attributes of `streamer.values.frame.Frame` that are recorded as they are."""


class Record(BaseModel):
    """Base class of what these files hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StreamOpened(Record):
    """A stream was opened; `file` has its packets. `low_delay` is a setting of its decoder."""

    event: Literal["opened"] = "opened"
    stream: int = Field(ge=0)
    file: str
    low_delay: bool


class PacketDiscarded(Record):
    """The frame of the next packet (numbered from 0) was left out because of an edit list.

    The packet is only needed to decode others; the packet file does not say so.
    """

    event: Literal["discarded"] = "discarded"
    stream: int = Field(ge=0)
    packet: int = Field(ge=0)


class FrameCaptured(Record):
    """A frame was captured; it is the `number`-th frame that `file` decodes to.

    `format` is its pixel format, `colour` its H.273 codes (primaries, transfer, matrix) and FFmpeg's range code, `crc`
    the CRC-32 of its samples, `picture_file` the `file` of the frame.
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
    arrival_wall_clock_s: float | None = None  # recordings of version 0.2 do not have it
    picture_file: str = ""
    file: str
    number: int = Field(ge=0)
    format: str
    colour: tuple[int, int, int, int]
    crc: int

    @classmethod
    def of(cls, frame: Frame, *, file: str, number: int, crc: int) -> FrameCaptured:
        """The record of a frame and of where its picture is."""
        picture = frame.picture
        values = {name: getattr(frame, name) for name in _OF_FRAME} | {"picture_file": encodable(frame.file)}
        return cls(**values, file=file, number=number, format=picture.format.name, colour=colour_of(picture), crc=crc)

    def frame(self, picture: av.VideoFrame) -> Frame:
        """The frame with this picture."""
        values = {name: getattr(self, name) for name in _OF_FRAME}
        return Frame(picture=picture, file=self.picture_file, **values)


class FrameArrived(Record):
    """The display thread got a frame; see `streamer.values.delivery.Arrived`."""

    event: Literal["arrival"] = "arrival"
    index: int = Field(ge=0)
    captured_s: float
    due_s: float = 0.0
    late: bool = False

    @classmethod
    def of(cls, arrived: Arrived) -> FrameArrived:
        """The record of a delivered frame."""
        frame = arrived.frame
        return cls(index=frame.index, captured_s=frame.captured_s, due_s=arrived.due_s, late=arrived.late)


class FrameDue(Record):
    """The display thread was told to show a frame that it held back; see `streamer.values.delivery.DisplayDue`."""

    event: Literal["due"] = "due"
    at_s: float


class RecordedDetections(Record):
    """`tracking.types.Detections`, column by column."""

    boxes: tuple[tuple[float, float, float, float], ...]
    scores: tuple[float, ...]
    labels: tuple[int, ...]

    @classmethod
    def of(cls, detections: Detections) -> RecordedDetections:
        """The record of a detector's output."""
        columns = (detections.boxes, detections.scores, detections.labels)
        boxes, scores, labels = (column.tolist() for column in columns)
        return cls(boxes=boxes, scores=scores, labels=labels)

    def detections(self) -> Detections:
        """The detections. Raises ValueError if the columns do not fit together."""
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        return Detections(boxes, np.array(self.scores, np.float32), np.array(self.labels, np.int32))


class RecordedFailure(Record):
    """The failure of a detector: its cause in the frame ledger, and its message."""

    cause: str
    message: str

    def error(self) -> DetectorError:
        """The error."""
        kinds: tuple[type[DetectorError], ...] = (DetectorRestarted, DetectorUnreachable)
        return next((kind for kind in kinds if kind.cause == self.cause), DetectorError)(self.message)


class DetectorResult(Record):
    """The display thread got the result of a detector; see `streamer.values.delivery.Detected`."""

    event: Literal["result"] = "result"
    index: int = Field(ge=0)
    captured_s: float
    detect_s: float
    done_s: float
    found: RecordedDetections | None = None
    failed: RecordedFailure | None = None

    @classmethod
    def of(cls, result: Detected) -> DetectorResult:
        """The record of a delivered result."""
        found = None if result.detections is None else RecordedDetections.of(result.detections)
        failed = None
        if result.error is not None:
            failed = RecordedFailure(cause=result.error_cause, message=readable(SECRETS.hide(str(result.error))))
        return cls(
            index=result.frame.index,
            captured_s=result.frame.captured_s,
            detect_s=result.detect_s,
            done_s=result.done_s,
            found=found,
            failed=failed,
        )


class FramesEntered(Record):
    """Frames entered the frame ledger."""

    event: Literal["entered"] = "entered"
    frames: int = Field(ge=1)


class FramesSettled(Record):
    """Frames reached their final state in the frame ledger."""

    event: Literal["settled"] = "settled"
    state: FrameState
    cause: str
    frames: int = Field(ge=1)


class RunEnded(Record):
    """The recording is complete; `message` is the error of a failed run."""

    event: Literal["ended"] = "ended"
    state: Literal["complete", "interrupted", "failed"]
    message: str = ""


Event = (
    StreamOpened
    | PacketDiscarded
    | FrameCaptured
    | FrameArrived
    | FrameDue
    | DetectorResult
    | FramesEntered
    | FramesSettled
    | RunEnded
)
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def event_of(delivery: Delivery) -> FrameArrived | FrameDue | DetectorResult:
    """The record of what a route delivered."""
    if isinstance(delivery, Arrived):
        return FrameArrived.of(delivery)
    return FrameDue(at_s=delivery.at_s) if isinstance(delivery, DisplayDue) else DetectorResult.of(delivery)


def line_of(event: Event) -> str:
    """The line of an event, with its newline."""
    return event.model_dump_json() + "\n"


def read_events(folder: Path, *, warn: bool = False) -> Iterator[Event]:
    """The events, in order. An incomplete last line is left out.

    Args:
        folder: of the recording.
        warn: log a warning about an incomplete line.

    Raises:
        SourceUnavailable: the file cannot be read.
        ConfigError: a malformed line; the message has its number.
    """
    path = folder / EVENTS
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    if warn:
                        log.warning("%s, line %d: cut off; the recording is played up to there", path, number)
                    return
                try:
                    yield _EVENT.validate_json(line)
                except ValidationError as error:
                    raise ConfigError(
                        f"{path}, line {number}: not what run --record writes: {first_problem(error)}"
                    ) from error
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror}") from error


def first_problem(error: ValidationError) -> str:
    """The first problem of a file, with the name of the field."""
    first: dict[str, Any] = dict(error.errors(include_url=False, include_input=False)[0])
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
