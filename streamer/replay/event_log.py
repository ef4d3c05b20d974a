"""The text files of a recording: `recording.json` says how the run was set up, `events.jsonl` has its events in order,
one JSON object a line. Pure; any thread.

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

from streamer.errors import ConfigError, DetectorError, DetectorRestarted, SourceUnavailable
from streamer.interfaces import StreamInfo
from streamer.replay.pixel_data import colour_of
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS
from streamer.values.delivery import Arrived, Detected
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState, Overlay
from tracking.types import Detections

log = logging.getLogger(__name__)

HEADER = "recording.json"
EVENTS = "events.jsonl"
_OF_FRAME = (
    "index", "pts", "time_base", "captured_s", "segment", "duration", "corrupt", "damage", "raw_pts", "wall_clock_s",
    "arrival_wall_clock_s",
)  # fmt: skip
"""Attributes of `streamer.values.frame.Frame` that are recorded as they are."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StreamOpened(_Record):
    """A stream was opened; `file` has its packets. `low_delay` is a setting of its decoder."""

    event: Literal["opened"] = "opened"
    stream: int = Field(ge=0)
    file: str
    low_delay: bool


class PacketDiscarded(_Record):
    """The frame of the next packet (numbered from 0) was left out because of an edit list.

    The packet is only needed to decode others; the packet file does not say so.
    """

    event: Literal["discarded"] = "discarded"
    stream: int = Field(ge=0)
    packet: int = Field(ge=0)


class FrameCaptured(_Record):
    """A frame was captured; it is the `number`-th frame that `file` decodes to.

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
    arrival_wall_clock_s: float | None = None  # recordings of version 0.2 do not have it
    file: str
    number: int = Field(ge=0)
    format: str
    colour: tuple[int, int, int, int]
    crc: int

    @classmethod
    def of(cls, frame: Frame, *, file: str, number: int, crc: int) -> FrameCaptured:
        """The record of a frame and of where its picture is."""
        picture = frame.picture
        values = {name: getattr(frame, name) for name in _OF_FRAME}
        return cls(**values, file=file, number=number, format=picture.format.name, colour=colour_of(picture), crc=crc)

    def frame(self, picture: av.VideoFrame) -> Frame:
        """The frame with this picture."""
        return Frame(picture=picture, **{name: getattr(self, name) for name in _OF_FRAME})


class FrameArrived(_Record):
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


class RecordedDetections(_Record):
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


class RecordedFailure(_Record):
    """The failure of a detector: its cause in the frame ledger, and its message."""

    cause: str
    message: str

    def error(self) -> DetectorError:
        """The error."""
        kind = DetectorRestarted if self.cause == DetectorRestarted.cause else DetectorError
        return kind(self.message)


class DetectorResult(_Record):
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


class FramesEntered(_Record):
    """Frames entered the frame ledger."""

    event: Literal["entered"] = "entered"
    frames: int = Field(ge=1)


class FramesSettled(_Record):
    """Frames reached their final state in the frame ledger."""

    event: Literal["settled"] = "settled"
    state: FrameState
    cause: str
    frames: int = Field(ge=1)


class RunEnded(_Record):
    """The recording is complete; `message` is the error of a failed run."""

    event: Literal["ended"] = "ended"
    state: Literal["complete", "interrupted", "failed"]
    message: str = ""


Event = (
    StreamOpened
    | PacketDiscarded
    | FrameCaptured
    | FrameArrived
    | DetectorResult
    | FramesEntered
    | FramesSettled
    | RunEnded
)
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class Header(_Record):
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


def line_of(event: Event) -> str:
    """The line of an event, with its newline."""
    return event.model_dump_json() + "\n"


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
        raise ConfigError(f"{path}: not what this version of run --record writes: {_first(error)}") from error


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
                        f"{path}, line {number}: not what run --record writes: {_first(error)}"
                    ) from error
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror}") from error


def _first(error: ValidationError) -> str:
    first: dict[str, Any] = dict(error.errors(include_url=False, include_input=False)[0])
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
