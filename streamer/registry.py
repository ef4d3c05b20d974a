"""Every feature by name: the one line that a new source, detector, tracker, annotator or sink adds.

A class says itself what it accepts and how it is made from settings (`streamer.features`); whoever opens a source or an
output asks the classes in the order of these tables. Entries are `module:class`, imported when they are asked, so that
a command pays only for what it uses. Other packages add theirs through entry points of the group named beside each
table; those are asked first, because the last built-in class accepts nearly everything. Any thread may read a registry.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import metadata
from typing import Any

from streamer.errors import ConfigError


class Registry(Mapping[str, Any]):
    """The classes of one kind of feature.

    Iterating gives names: those of other packages first, then the built-in ones in their order. A value is the class,
    imported now.

    Args:
        group: the entry point group through which other packages add to it, such as `streamer.sources`.
        built_in: name to `module:class`.
    """

    def __init__(self, group: str, built_in: Mapping[str, str]) -> None:
        self.group = group
        self._built_in = dict(built_in)
        self._registered: dict[str, Any] = {}

    @cached_property
    def _installed(self) -> dict[str, metadata.EntryPoint]:
        return {point.name: point for point in metadata.entry_points(group=self.group)}

    def register(self, name: str, feature: type) -> None:
        """Add a class, or put it in the place of another one, for as long as this process lives."""
        self._registered[name] = feature

    @property
    def extensions(self) -> set[str]:
        """The names that other packages have added."""
        return {*self._registered, *self._installed}

    def __getitem__(self, name: str) -> Any:
        """The class of that name, imported now.

        Raises:
            KeyError: there is none.
            ConfigError: another package names a class that cannot be imported.
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
        except Exception as error:  # other people's code: whatever it raises, the user is told whose it is
            owner = point.dist.name if point.dist is not None else "a package"
            raise ConfigError(
                f"{owner}: cannot load {point.value} ({self.group}): {error}; mend or remove it"
            ) from error

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
