"""All settings of a run, in sections, with their defaults.

They are checked when they are created and never change, so any thread may read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from streamer.config.analytics import AnalyticsSettings
from streamer.config.detector import DetectorSettings
from streamer.config.events import EventSettings, StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.output import OutputEntry, OutputSettings
from streamer.config.section import Section
from streamer.config.source import SourceSettings
from streamer.registry import ALL, TRACKERS
from streamer.system.suggestions import nearest


class TrackerSettings(Section):
    """How boxes are connected to tracks."""

    name: str = "cascade"
    """`cascade`, the simpler `iou`, or a tracker of another package."""
    options: dict[str, bool | int | float] = {}
    """Keyword arguments of the tracker, such as `iou_min`."""

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in TRACKERS:
            raise ValueError(f"no tracker {value!r}{nearest(value, TRACKERS)}")
        return value


class DrawSettings(Section):
    """What is drawn on the frames."""

    boxes: bool = True
    labels: bool = True
    score: bool = True
    """The score on the label, smoothed."""
    id: bool = True
    """The track id on the label."""
    origin: bool = True
    """Dashed outlines for boxes whose detection is older than 0.5 s, or whose object the detector missed for 0.3 s."""
    trails: bool = False
    trail_length_s: float = Field(default=2.0, gt=0)
    hud: bool = False
    """A line with time, frame rate (of a file, or measured live) and counts; labels avoid it."""
    lines: bool = True
    """The lines of `analytics`, with their crossings."""
    zones: bool = True
    """The zones of `analytics`, with the number of tracks inside."""
    counts: bool = False
    """A table with the counts of classes, zones and lines in the upper right corner; labels avoid it."""
    annotators: tuple[str, ...] = ()
    """Annotators of other packages, by name; they draw last."""


class ClusterSettings(Section):
    """The workers of `run --cluster`. Each is a process of its own on a Ray cluster, and loads the detector once."""

    workers: int | None = Field(default=None, ge=1, le=10_000)
    """How many workers; as many as the cluster has room for if null."""
    num_cpus: float = Field(default=1.0, ge=0, le=1024)
    """CPUs that a worker reserves; a small detector detects as many frames in parallel."""
    num_gpus: float = Field(default=0.0, ge=0, le=64)
    """GPUs that a worker reserves; two workers share one with 0.5."""
    parts: int | None = Field(default=None, ge=1, le=100_000)
    """How many parts the file has; by its length and the number of workers if null."""
    in_flight: int = Field(default=2, ge=1, le=16)
    """Parts that a worker has at a time: one that it detects, and others that wait for it."""
    retries: int = Field(default=3, ge=0, le=100)
    """How often a part is given to another worker after its worker ended; then its frames are detected here."""
    start_s: float = Field(default=600.0, gt=0)
    """Time limit until the first worker has loaded the detector."""
    input: Literal["auto", "path", "send"] = "auto"
    """How a worker gets the file: by its path, or sent through the object store as far as a part needs it; `auto`
    sends it to workers that do not have it, `path` refuses them."""


class WindowSettings(Section):
    """The window."""

    snapshot_folder: Path = Path()
    """Where the key s saves frames."""


class MetricsSettings(Section):
    """Metrics for Prometheus."""

    address: str | None = None
    """Address of /metrics, such as :9090 (this machine only) or 0.0.0.0:9090; not served if null."""


class StreamSettings(Section):
    """What one stream needs besides its detector: the settings that a run and a camera of a site have in common."""

    source: SourceSettings = Field(default_factory=SourceSettings)
    overlay: Literal["auto", "now", "detected", "delayed"] = "auto"
    """`now` shows every frame on arrival, with carried boxes; `detected` shows detected frames only; `delayed` shows
    every frame a fixed time after arrival, with interpolated boxes. auto: `now` if live, else `detected`."""
    delay_s: float | None = Field(default=None, ge=0, le=60)
    """Delay of `delayed`; if null it is measured, so that detections usually arrive in time."""
    tracker: TrackerSettings = TrackerSettings()
    draw: DrawSettings = DrawSettings()
    analytics: AnalyticsSettings = AnalyticsSettings()
    events: EventSettings = EventSettings()
    output: OutputSettings = OutputSettings()
    """Settings of the outputs named on the command line; of all outputs of a camera of a site."""
    outputs: tuple[OutputEntry, ...] = ()
    """More outputs, each with its own settings."""
    extensions: dict[str, dict[str, Any]] = {}
    """Settings of features of other packages, by the name of the feature: `extensions: {my_camera: {gain: 2}}`."""

    @field_validator("outputs", mode="before")
    @classmethod
    def _is_list(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError(
                "give a list such as [{to: out.mp4, crf: 23}, {to: rec/%H%M%S.mp4, segment_s: 600}]; "
                "the section output is for outputs of the command line"
            )
        return value

    @field_validator("extensions")
    @classmethod
    def _are_installed(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        installed = {name for features in ALL for name in features.extensions} if value else set()
        for name in value:
            if name not in installed:
                raise ValueError(f"no installed package has a feature {name!r}{nearest(name, installed)}")
        return value


class Settings(StreamSettings):
    """All settings of a run."""

    detector: DetectorSettings = DetectorSettings()
    cluster: ClusterSettings = ClusterSettings()
    window: WindowSettings = WindowSettings()
    metrics: MetricsSettings = MetricsSettings()
    store: StoreSettings = StoreSettings()
    notify: NotifySettings = NotifySettings()
