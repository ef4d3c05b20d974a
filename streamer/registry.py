"""Every feature by name: the one line that a new source, detector, tracker, annotator or sink adds.

Entries are `module:class` and are imported when asked for, so that a command pays only for what it uses.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "file": "streamer.sources.file.file:FileSource",
        "images": "streamer.sources.images.images:ImageSource",
        "synthetic": "streamer.sources.synthetic:SyntheticSource",
        "live": "streamer.sources.live.live:LiveSource",
    }
)
DETECTORS: Mapping[str, str] = MappingProxyType(
    {
        "starter": "streamer.detectors.starter:StarterDetector",
        "hub": "streamer.detectors.tfhub.hub:HubDetector",
    }
)
TRACKERS: Mapping[str, str] = MappingProxyType(
    {
        "iou": "tracking.iou:IouTracker",
        "cascade": "tracking.cascade:CascadeTracker",
    }
)
ANNOTATORS: Mapping[str, str] = MappingProxyType(
    {
        "trails": "streamer.render.trails:TrailAnnotator",
        "boxes": "streamer.render.boxes:BoxAnnotator",
        "labels": "streamer.render.labels:LabelAnnotator",
        "hud": "streamer.render.hud:HudAnnotator",
    }
)
SINKS: Mapping[str, str] = MappingProxyType(
    {
        "video": "streamer.sinks.video.video:VideoSink",
        "recording": "streamer.sinks.segments.recording:RecordingSink",
        "stream": "streamer.sinks.publish.stream:StreamSink",
        "mjpeg": "streamer.sinks.mjpeg.mjpeg:MjpegSink",
        "jsonl": "streamer.sinks.text.json_lines:JsonLinesSink",
        "mot": "streamer.sinks.text.mot:MotSink",
        "window": "streamer.sinks.window.window:WindowSink",
    }
)


def load(features: Mapping[str, str], name: str) -> Any:
    """The class registered under `name`, imported now.

    Raises:
        KeyError: nothing is registered under that name.
    """
    module, _, attribute = features[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
