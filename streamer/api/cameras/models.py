"""The JSON values of cameras. Immutable; any thread may read them. Durations and ages in seconds, sizes in pixels."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from streamer.api.operation import Answer, Values
from streamer.config.analytics import LineSettings, ShapeSettings, ZoneSettings


class Frames(Answer):
    """The frames of the current run of a camera."""

    entered: int
    shown: int
    detected: int
    dropped: int
    corrupt: int


class LastEvent(Answer):
    """The newest event of a camera in the store."""

    id: str
    kind: str
    label: str
    start_time: str
    """ISO 8601 in UTC."""


class Camera(Answer):
    """What a camera does now."""

    name: str
    source: str
    """Its address or path, without credentials."""
    state: str
    """`starting`, `running`, `lost`, `waiting`, `ended` or `stopped`."""
    state_s: float
    """How long the state lasts; of a lost source, since its last frame."""
    reason: str
    """Why it shows no frames although it should; empty if all is well."""
    fps: float | None
    """Frames that were shown per second, in the last seconds."""
    detected_fps: float | None
    age_s: float | None
    """Mean age of the shown frames since their arrival."""
    last_frame_age_s: float | None
    width: int | None
    height: int | None
    detector: str | None
    frames: Frames
    restarts: int
    last_event: LastEvent | None


class Cameras(Answer):
    """All cameras, in the order of the settings."""

    revision: str
    """Of the settings file; a change sends it back in `If-Match`."""
    cameras: tuple[Camera, ...]


class CameraDetail(Camera):
    """A camera with its settings."""

    revision: str
    in_file: bool
    """False: it was added by a command, and stays until the next reload."""
    settings: dict[str, Any]
    """Its section of the settings file, with `***` for passwords, without the defaults of the site."""


class NewCamera(Values):
    """A camera to add."""

    name: str = Field(max_length=64)
    """Up to 64 letters, digits, - and _."""
    settings: dict[str, Any]
    """Its section of the settings file, such as `{"source": {"uri": "rtsp://192.0.2.10/stream1"}}`."""


class ChangedCamera(Values):
    """The new settings of a camera, which replace its section; `***` keeps a password."""

    settings: dict[str, Any]


class Rules(Values):
    """The lines and zones of a camera, which replace those before; points are relative to the frame, 0..1."""

    lines: tuple[LineSettings, ...]
    zones: tuple[ZoneSettings, ...]

    def to_file(self) -> dict[str, list[dict[str, Any]]]:
        """What the settings file gets: the values that are given, with points of four decimals."""
        return {"lines": list(map(_rounded, self.lines)), "zones": list(map(_rounded, self.zones))}


class RulesOfCamera(Answer):
    """The lines and zones of a camera in the settings file, with the defaults of the site."""

    revision: str
    lines: tuple[LineSettings, ...]
    zones: tuple[ZoneSettings, ...]


def _rounded(rule: ShapeSettings) -> dict[str, Any]:
    values = rule.model_dump(mode="json", exclude_unset=True)
    return {**values, "points": [[round(x, 4), round(y, 4)] for x, y in rule.points]}
