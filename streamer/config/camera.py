"""Settings of one camera of a site. Any thread may read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from streamer.config.detector import DetectorSettings, checked_every
from streamer.config.section import Section
from streamer.config.settings import Settings, StreamSettings


class CameraDetectorSettings(Section):
    """What one camera wants of its detector. What is null is as in the settings of that detector."""

    name: str = ""
    """An entry of `detectors`; the site's `detector` if empty."""
    every: int | Literal["auto"] | None = None
    """Only every N-th frame of the camera may be detected."""
    fps: float | None = Field(default=None, gt=0)
    """At most so many detections per second of media time."""
    classes: tuple[str, ...] | None = None
    """Classes to keep, each with all classes below it."""
    min_score: float | None = Field(default=None, ge=0, le=1)
    """Detections below this score are dropped."""
    min_scores: dict[str, float] | None = None
    """Other bounds for some classes."""
    priority: float = Field(default=1.0, gt=0, le=100)
    """Factor of this camera's expected gain, against other cameras."""
    max_age_s: float | None = Field(default=None, gt=0)
    """The longest time between two detections of this camera."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_model(cls, values: object) -> object:
        shared = DetectorSettings.model_fields.keys() - cls.model_fields.keys()
        for key in values if isinstance(values, Mapping) else ():
            if key in shared:
                raise ValueError(f"{key} belongs to a detector, which cameras share: give detector.{key} of the site")
        return values

    @field_validator("every", mode="before")
    @classmethod
    def _is_every(cls, value: object) -> object:
        return None if value is None else checked_every(value)


class CameraSettings(StreamSettings):
    """One camera: the settings of a run, with a detector that other cameras use, too."""

    detector: CameraDetectorSettings = CameraDetectorSettings()

    def settings(self, detector: DetectorSettings) -> Settings:
        """The settings of the camera's run with this detector."""
        own = self.detector.model_dump(
            include={"every", "fps", "classes", "min_score", "min_scores"}, exclude_none=True
        )
        if "every" in own or "fps" in own:  # both set the rate of detections, so one replaces the other
            own = {"every": 1, "fps": None, **own}
        common = {name: getattr(self, name) for name in StreamSettings.model_fields}
        return Settings.model_construct(**{**dict(Settings()), **common, "detector": detector.model_copy(update=own)})
