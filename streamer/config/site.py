"""Settings of a site: several cameras and the detectors that they share. Any thread may read them."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from streamer.config.detector import DetectorSettings
from streamer.config.output import OutputEntry, OutputSettings
from streamer.config.section import Section
from streamer.config.settings import DrawSettings, MetricsSettings, Settings, TrackerSettings
from streamer.config.source import SourceSettings
from streamer.registry import POLICIES
from streamer.system.suggestions import nearest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class SharedDetectorSettings(DetectorSettings):
    """A detector that several cameras share."""

    devices: tuple[str, ...] = ()
    """One model on each of these, such as `[gpu:0, gpu:1]`; `device` alone if empty."""
    policy: str = "gain"
    """Whose frame is detected next: `gain`, that of the camera whose boxes are probably the worst, or `round_robin`."""
    max_age_s: float | None = Field(default=None, gt=0)
    """The longest time between two detections of one camera. null: 2 s, or twice what one round of all cameras takes."""

    @field_validator("policy")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in POLICIES:
            raise ValueError(f"no policy {value!r}{nearest(value, POLICIES)}")
        return value


class CameraDetectorSettings(Section):
    """What one camera wants of its detector."""

    name: str = ""
    """An entry of `detectors`; the site's `detector` if empty."""
    every: int = Field(default=1, ge=1, le=300)
    """Of the camera's frames, only every N-th may be detected."""
    fps: float | None = Field(default=None, gt=0)
    """At most so many detections per second."""
    classes: tuple[str, ...] | None = None
    """Classes to keep, as in the detector's settings; those of the detector if null."""
    min_score: float | None = Field(default=None, ge=0, le=1)
    """Detections below this score are dropped; as the detector's settings say if null."""
    priority: float = Field(default=1.0, gt=0, le=100)
    """Factor of this camera's expected gain, against other cameras."""
    max_age_s: float | None = Field(default=None, gt=0)
    """The longest time between two detections of this camera; that of the detector if null."""


class CameraSettings(Section):
    """One camera: the settings of `run`."""

    source: SourceSettings = Field(default_factory=SourceSettings)
    detector: CameraDetectorSettings = CameraDetectorSettings()
    tracker: TrackerSettings = TrackerSettings()
    overlay: Literal["auto", "now", "detected", "delayed"] = "auto"
    delay_s: float | None = Field(default=None, ge=0, le=60)
    draw: DrawSettings = DrawSettings()
    output: OutputSettings = OutputSettings()
    outputs: tuple[OutputEntry, ...] = ()
    extensions: dict[str, dict[str, Any]] = {}

    def settings(self, detector: DetectorSettings) -> Settings:
        """The settings of the camera's run with this detector."""
        own = self.detector
        changes: dict[str, Any] = {"every": own.every, "fps": own.fps}
        if own.classes is not None:
            changes["classes"] = own.classes
        if own.min_score is not None:
            changes["min_score"] = own.min_score
        common = {name: getattr(self, name) for name in type(self).model_fields if name != "detector"}
        return Settings.model_construct(**{**dict(Settings()), **common, "detector": detector.model_copy(update=changes)})


class SiteSettings(Section):
    """A site."""

    cameras: dict[str, CameraSettings]
    """By name, which is in every log line, metric and report; `{camera}` in the name of an output."""
    detector: SharedDetectorSettings = SharedDetectorSettings()
    """The detector of all cameras that name no other."""
    detectors: dict[str, SharedDetectorSettings] = {}
    """More detectors by name, for cameras with `detector: {name: NAME}`."""
    metrics: MetricsSettings = MetricsSettings()

    def detector_of(self, camera: CameraSettings) -> SharedDetectorSettings:
        """The detector of a camera."""
        return self.detectors[camera.detector.name] if camera.detector.name else self.detector
