"""Streamer puts an accurate, slow object detector on video without making the video slow.

Three lines from a clip, a webcam (`0`) or a camera (`rtsp://...`) to its boxes:

    import streamer

    for scene in streamer.open("clip.mp4"):
        print(scene.frame.time_s, [(item.id, item.label, item.box) for item in scene.objects])

`load_detector` is for single pictures, `Pipeline` for a run that you build from its parts. The registries `SOURCES`,
`DETECTORS`, `TRACKERS`, `ANNOTATORS` and `SINKS` hold every built-in or installed class by name:
`streamer.TRACKERS["cascade"]()`.

Names are imported on first use: `import streamer` imports neither PyAV nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.config.detector import DetectorSettings
    from streamer.config.loading import load_settings
    from streamer.config.output import OutputEntry, OutputSettings
    from streamer.config.section import Section
    from streamer.config.settings import DrawSettings, MetricsSettings, Settings, TrackerSettings, WindowSettings
    from streamer.config.source import SourceSettings
    from streamer.errors import (
        ConfigError,
        DetectorError,
        DetectorHung,
        DetectorUnreachable,
        Interrupted,
        ModelError,
        SinkError,
        SinkUnavailable,
        SourceLost,
        SourceUnavailable,
        StreamerError,
    )
    from streamer.features import (
        AnnotatorFeature,
        DetectorContext,
        DetectorFeature,
        SinkContext,
        SinkFeature,
        SourceContext,
        SourceFeature,
    )
    from streamer.interfaces import Annotator, Detector, Scene, Sink, Source, StreamInfo
    from streamer.pipeline import Pipeline
    from streamer.registry import ANNOTATORS, DETECTORS, SINKS, SOURCES, TRACKERS
    from streamer.run.loaded_detector import LoadedDetector, load_detector
    from streamer.run.scenes import Scenes, open
    from streamer.sources.selection import open_source
    from streamer.values.drawable import Drawable
    from streamer.values.frame import Frame
    from streamer.values.labels import LabelTable
    from streamer.values.objects import Object, Objects
    from streamer.values.states import FrameState, Overlay
    from tracking.types import Detections, Origin, Tracker, Tracks

__version__ = "0.2.0"
__all__ = [
    "ANNOTATORS",
    "DETECTORS",
    "SINKS",
    "SOURCES",
    "TRACKERS",
    "Annotator",
    "AnnotatorFeature",
    "ConfigError",
    "Detections",
    "Detector",
    "DetectorContext",
    "DetectorError",
    "DetectorFeature",
    "DetectorHung",
    "DetectorSettings",
    "DetectorUnreachable",
    "DrawSettings",
    "Drawable",
    "Frame",
    "FrameState",
    "Interrupted",
    "LabelTable",
    "LoadedDetector",
    "MetricsSettings",
    "ModelError",
    "Object",
    "Objects",
    "Origin",
    "OutputEntry",
    "OutputSettings",
    "Overlay",
    "Pipeline",
    "Scene",
    "Scenes",
    "Section",
    "Settings",
    "Sink",
    "SinkContext",
    "SinkError",
    "SinkFeature",
    "SinkUnavailable",
    "Source",
    "SourceContext",
    "SourceFeature",
    "SourceLost",
    "SourceSettings",
    "SourceUnavailable",
    "StreamInfo",
    "StreamerError",
    "Tracker",
    "TrackerSettings",
    "Tracks",
    "WindowSettings",
    "__version__",
    "load_detector",
    "load_settings",
    "open",
    "open_source",
]

_MODULES = {
    "streamer.config.detector": ("DetectorSettings",),
    "streamer.config.loading": ("load_settings",),
    "streamer.config.output": ("OutputEntry", "OutputSettings"),
    "streamer.config.section": ("Section",),
    "streamer.config.settings": ("DrawSettings", "MetricsSettings", "Settings", "TrackerSettings", "WindowSettings"),
    "streamer.config.source": ("SourceSettings",),
    "streamer.errors": (
        "ConfigError",
        "DetectorError",
        "DetectorHung",
        "DetectorUnreachable",
        "Interrupted",
        "ModelError",
        "SinkError",
        "SinkUnavailable",
        "SourceLost",
        "SourceUnavailable",
        "StreamerError",
    ),
    "streamer.features": (
        "AnnotatorFeature",
        "DetectorContext",
        "DetectorFeature",
        "SinkContext",
        "SinkFeature",
        "SourceContext",
        "SourceFeature",
    ),
    "streamer.interfaces": ("Annotator", "Detector", "Scene", "Sink", "Source", "StreamInfo"),
    "streamer.pipeline": ("Pipeline",),
    "streamer.registry": ("ANNOTATORS", "DETECTORS", "SINKS", "SOURCES", "TRACKERS"),
    "streamer.run.loaded_detector": ("LoadedDetector", "load_detector"),
    "streamer.run.scenes": ("Scenes", "open"),
    "streamer.sources.selection": ("open_source",),
    "streamer.values.drawable": ("Drawable",),
    "streamer.values.frame": ("Frame",),
    "streamer.values.labels": ("LabelTable",),
    "streamer.values.objects": ("Object", "Objects"),
    "streamer.values.states": ("FrameState", "Overlay"),
    "tracking.types": ("Detections", "Origin", "Tracker", "Tracks"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:  # for type checkers the imports above are complete, and another name is an error

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
