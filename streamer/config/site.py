"""Settings of a site: several cameras, and the detectors that they share. Any thread may read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from streamer.config.camera import CameraSettings
from streamer.config.detector import DetectorSettings
from streamer.config.events import StoreSettings
from streamer.config.layers import camera_values, long_form
from streamer.config.notify import NotifySettings
from streamer.config.section import Section, validated
from streamer.config.settings import MetricsSettings
from streamer.config.web import WebSettings
from streamer.errors import ConfigError
from streamer.registry import POLICIES
from streamer.system.suggestions import nearest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_EXAMPLE = "front: {source: {uri: rtsp://192.0.2.10/stream1}, outputs: [{to: front.jsonl}]}"


def _unfit(name: object) -> str:
    """Why a name cannot be that of a camera; empty if it can."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return ""
    if isinstance(name, bool):
        return "a name is read as true or false; put quotes around it"
    return f"{name!r} is no name of a camera: give up to 64 letters, digits, - and _; the first is a letter or a digit"


def _fitting(name: object) -> object:
    if unfit := _unfit(name):
        raise ValueError(unfit)
    return name


CameraName = Annotated[str, BeforeValidator(_fitting)]
"""Up to 64 letters, digits, - and _."""


class SharedDetectorSettings(DetectorSettings):
    """A detector that several cameras share.

    Its `every`, `fps`, `classes`, `min_score` and `min_scores` are for each camera that gives none.
    """

    devices: tuple[str, ...] = ()
    """One model on each of these, such as `[gpu:0, gpu:1]`; `device` alone if empty."""
    policy: str = "gain"
    """Whose frame is detected next: `gain`, that of the camera whose boxes are probably the worst, or `round_robin`."""
    max_age_s: float | None = Field(default=None, gt=0)
    """The longest time between two detections of one camera. null: 2 s, or twice a round of all cameras if that is
    longer."""

    @field_validator("policy")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in POLICIES:
            raise ValueError(f"no policy {value!r}{nearest(value, POLICIES)}")
        return value

    @field_validator("devices")
    @classmethod
    def _are_devices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for device in value:
            if not re.fullmatch(r"cpu|gpu:\d+", device):
                raise ValueError(f"a device is cpu, or gpu:0, gpu:1, ..., not {device!r}")
        if len(set(value)) < len(value):
            raise ValueError("a device is named twice")
        return value

    @field_validator("latency", mode="before")
    @classmethod
    def _is_no_simulation(cls, value: object) -> object:
        if value is not None:
            raise ValueError("it simulates one run, not a site; leave it out")
        return value


class ControlSettings(Section):
    """The local control socket, for `streamer reload` and `streamer cameras`."""

    socket: Path | None = None
    """Its path. null: named like the settings file, in the folder for sockets of this user."""


class SiteSettings(Section):
    """A site."""

    defaults: CameraSettings = CameraSettings()
    """Settings of every camera, below its own: sections are merged, a list replaces a list."""
    detector: SharedDetectorSettings = SharedDetectorSettings()
    """The detector of all cameras that name no other."""
    detectors: dict[str, SharedDetectorSettings] = {}
    """More detectors by name, for cameras with `detector: {name: NAME}`."""
    metrics: MetricsSettings = MetricsSettings()
    control: ControlSettings = ControlSettings()
    web: WebSettings = WebSettings()
    store: StoreSettings = StoreSettings()
    notify: NotifySettings = NotifySettings()
    cameras: dict[CameraName, CameraSettings] = {}
    """By name, which is in every log line, metric and report, and replaces `{camera}` in the names of outputs. The
    defaults are merged already."""

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        if misplaced := [key for key in values if key in CameraSettings.model_fields and key not in cls.model_fields]:
            raise ValueError(
                f"{misplaced[0]} is a setting of a camera: give it below cameras: {{NAME: ...}} or defaults:"
            )
        cameras, defaults = values.get("cameras"), long_form(values.get("defaults", {}))
        if isinstance(cameras, Mapping):  # YAML reads the name 1 as a number
            named = {name if isinstance(name, bool | str) else str(name): one for name, one in cameras.items()}
            cameras = {name: camera_values(name, one, defaults) for name, one in named.items()}
        return {**values, "cameras": {} if cameras is None else cameras, "defaults": defaults}

    @field_validator("cameras", mode="before")
    @classmethod
    def _are_cameras(cls, value: object) -> object:
        if isinstance(value, list) and value:
            raise ValueError(f"this is a list; give each camera below its name, such as {_EXAMPLE}")
        if not isinstance(value, Mapping):
            raise ValueError(f"there is no camera; give at least one, such as {_EXAMPLE}")
        return value

    @field_validator("detectors")
    @classmethod
    def _have_names(cls, value: dict[str, SharedDetectorSettings]) -> dict[str, SharedDetectorSettings]:
        if "" in value:
            raise ValueError("an entry has no name")
        return value

    def camera(self, name: str, values: Mapping[str, Any] | str) -> CameraSettings:
        """The settings of a camera from those that are given for it, and the defaults.

        Raises:
            ConfigError: a value is invalid.
        """
        defaults = self.defaults.model_dump(exclude_unset=True)
        return validated(CameraSettings, camera_values(name, values, defaults), "cameras", name)

    def with_camera(self, name: str, camera: CameraSettings) -> Self:
        """A copy with one more camera, or with other settings of one.

        Raises:
            ConfigError: the name does not fit.
        """
        if unfit := _unfit(name):
            raise ConfigError(unfit)
        return self.model_copy(update={"cameras": {**self.cameras, name: camera}})

    def without_camera(self, name: str) -> Self:
        """A copy without a camera.

        Raises:
            ConfigError: there is no such camera.
        """
        if name not in self.cameras:
            raise ConfigError(f"no camera {name!r}{nearest(name, self.cameras)}")
        return self.model_copy(update={"cameras": {one: self.cameras[one] for one in self.cameras if one != name}})

    def detector_of(self, camera: CameraSettings) -> SharedDetectorSettings:
        """The detector of a camera. Raises KeyError for one of `problems`."""
        return self.detectors[camera.detector.name] if camera.detector.name else self.detector

    def detectors_in_use(self) -> dict[str, SharedDetectorSettings]:
        """The detectors that a camera uses, by the name of their entry; "" is `detector`."""
        used = {camera.detector.name for camera in self.cameras.values()}
        entries = {"": self.detector, **self.detectors}
        return {name: entries[name] for name in entries if name in used}

    def cameras_of(self, entry: str) -> dict[str, CameraSettings]:
        """The cameras of a detector, by name; the entry "" is `detector`."""
        return {name: camera for name, camera in self.cameras.items() if camera.detector.name == entry}

    @property
    def awaits_cameras(self) -> bool:
        """Whether there is no camera, and a page to add one."""
        return not self.cameras and self.web.address is not None

    def problems(self) -> Iterator[str]:
        """What keeps cameras from running, one line each."""
        if not self.cameras and not self.awaits_cameras:
            yield f"cameras: there is no camera, and no page to add one; give at least one, such as {_EXAMPLE}"
        for name, camera in self.cameras.items():
            if not camera.source.uri:
                yield f"cameras.{name}.source.uri: no source; give an address, a webcam (0) or a file"
            elif camera.source.uri == "-":
                yield f"cameras.{name}.source.uri: standard input is for one run; give an address, a webcam or a file"
            entry = camera.detector.name
            if entry and entry not in self.detectors:
                add = f"; detectors: {{{entry}: {{name: ...}}}} adds it"
                remedy = nearest(entry, self.detectors) if self.detectors else add
                yield f"cameras.{name}.detector.name: no entry {entry!r} in detectors{remedy}"
