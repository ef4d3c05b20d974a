"""The sources, detectors, trackers, annotators and sinks by name. A new one adds one line here.

Each class declares what it accepts and how it is built from settings (`streamer.features`). The openers try the classes
in the order of these tables. An entry is `module:class` and is imported when it is needed, so a command imports only
what it uses. Other packages add classes through the entry point group of a table. Those are tried first, because the
last built-in class accepts nearly everything. Any thread may read a registry.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import metadata
from typing import Any

from streamer.errors import ConfigError


class Registry(Mapping[str, Any]):
    """The classes of one kind of feature by name.

    Iteration yields names: first those of other packages, then the built-in ones in their order. Reading a value
    imports the class.

    Args:
        group: the entry point group of other packages, such as `streamer.sources`.
        built_in: `module:class` by name.
    """

    def __init__(self, group: str, built_in: Mapping[str, str]) -> None:
        self.group = group
        self._built_in = dict(built_in)
        self._registered: dict[str, Any] = {}

    @cached_property
    def _installed(self) -> dict[str, metadata.EntryPoint]:
        return {point.name: point for point in metadata.entry_points(group=self.group)}

    def register(self, name: str, feature: type) -> None:
        """Add or replace a class in this process."""
        self._registered[name] = feature

    @property
    def extensions(self) -> set[str]:
        """The names that other packages have added."""
        return {*self._registered, *self._installed}

    def __getitem__(self, name: str) -> Any:
        """The class of this name, imported now.

        Raises:
            KeyError: there is no such name.
            ConfigError: the class of another package cannot be imported.
        """
        if name in self._registered:
            return self._registered[name]
        if name in self._installed:
            return self._load(self._installed[name])
        module, _, attribute = self._built_in[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def _load(self, point: metadata.EntryPoint) -> Any:
        try:
            return point.load()
        except Exception as error:  # code of another package: the message names the package
            owner = point.dist.name if point.dist is not None else "a package"
            message = f"{owner}: cannot load {point.value} ({self.group}): {error}; repair or uninstall the package"
            raise ConfigError(message) from error

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._registered or name in self._installed

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._registered, *self._installed, *self._built_in))

    def __len__(self) -> int:
        return len(set(self))


SOURCES = Registry(
    "streamer.sources",
    {
        "camera": "streamer.sources.camera.camera:CameraSource",
        "recorded": "streamer.sources.network.recorded:RecordedSource",
        "network": "streamer.sources.network.source:NetworkSource",
        "paced": "streamer.sources.live.paced:PacedSource",
        "synthetic": "streamer.sources.synthetic:SyntheticSource",
        "images": "streamer.sources.images.images:ImageSource",
        "pipe": "streamer.sources.file.pipe:PipeSource",
        "file": "streamer.sources.file.file:FileSource",
    },
)
DETECTORS = Registry(
    "streamer.detectors",
    {
        "auto": "streamer.detectors.auto:AutoDetector",
        "starter": "streamer.detectors.starter:StarterDetector",
        "recorded": "streamer.detectors.recorded:RecordedDetector",
        "hub": "streamer.detectors.tfhub.hub:HubDetector",
    },
)
TRACKERS = Registry(
    "streamer.trackers",
    {
        "iou": "tracking.iou:IouTracker",
        "cascade": "tracking.cascade:CascadeTracker",
    },
)
ANNOTATORS = Registry(  # in the order in which they draw
    "streamer.annotators",
    {
        "trails": "streamer.render.trails:TrailAnnotator",
        "boxes": "streamer.render.boxes:BoxAnnotator",
        "labels": "streamer.render.labels:LabelAnnotator",
        "hud": "streamer.render.hud:HudAnnotator",
    },
)
SINKS = Registry(
    "streamer.sinks",
    {
        "stream": "streamer.sinks.publish.stream:StreamSink",
        "mjpeg": "streamer.sinks.mjpeg.mjpeg:MjpegSink",
        "jsonl": "streamer.sinks.text:JsonLinesSink",
        "mot": "streamer.sinks.text:MotSink",
        "window": "streamer.sinks.window.window:WindowSink",
        "recording": "streamer.sinks.segments.recording:RecordingSink",
        "video": "streamer.sinks.video.video:VideoSink",
    },
)
ALL = (SOURCES, DETECTORS, TRACKERS, ANNOTATORS, SINKS)
