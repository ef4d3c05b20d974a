"""The JSON values of the system. Immutable; any thread may read them. Durations in seconds, sizes in bytes."""

from __future__ import annotations

from streamer.api.operation import Answer


class DetectorFigures(Answer):
    """What a detector did in the last seconds."""

    name: str
    workers: int
    fps: float
    """Detections per second."""
    detect_s: float | None
    """Mean duration of a detection."""
    busy: float
    """Share of the time of its workers, 0..1."""


class Ledger(Answer):
    """What became of the frames of the current run of a camera. The states and those in flight add up to `entered`."""

    entered: int
    detected: int
    interpolated: int
    predicted: int
    lost: int
    dropped: int
    corrupt: int
    in_flight: int
    dropped_by_cause: dict[str, int]
    """Frames that are lost, dropped or corrupt, by cause, the most frequent first."""


class Latency(Answer):
    """How long frames spent in a stage, or how old they were at a place, in the current run."""

    stage: str
    """A stage such as `decode` or `detect`; `age at ...` is the age of frames since their arrival."""
    frames: int
    mean_s: float
    p95_s: float
    """95% of the frames took no longer; exact to 2.5%."""


class CameraFigures(Answer):
    """The figures of a camera."""

    name: str
    ledger: Ledger
    latency: tuple[Latency, ...]


class StoreFigures(Answer):
    """The store of events."""

    folder: str
    events: int
    bytes: int
    """Of the files of the events."""
    free_bytes: int | None
    """Of the disk; null if the folder is gone."""


class TargetFigures(Answer):
    """A target of alerts."""

    name: str
    type: str
    waiting: int
    """Messages that wait for it."""
    delivered: int
    dropped: int
    reason: str
    """Why it fails; empty if it works."""


class System(Answer):
    """The program."""

    version: str
    uptime_s: float
    detectors: tuple[DetectorFigures, ...]
    cameras: tuple[CameraFigures, ...]
    store: StoreFigures | None
    targets: tuple[TargetFigures, ...]
