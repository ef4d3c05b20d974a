"""The sources, detectors, trackers, policies, annotators, sinks and targets by name. A new one adds one line here.

Each class declares what it accepts and how it is built from settings (`streamer.features`). The openers try the classes
in the order of these tables. An entry is `module:class` and is imported when it is needed, so a command imports only
what it uses. Other packages add classes through the entry point group of a table. Those are tried first, because the
last built-in class accepts nearly everything. Any thread may read a registry.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from typing import Any

from streamer.errors import ConfigError
from streamer.system.suggestions import nearest

log = logging.getLogger(__name__)


class Registry(Mapping[str, Any]):
    """The classes of one kind of feature by name.

    Iteration yields names: first those of other packages, then the built-in ones in their order. Reading a value
    imports the class.

    Args:
        group: the entry point group of other packages, such as `streamer.sources`.
        built_in: `module:class` by name.
        needs: the methods that a class of another package must have.

    Attributes:
        built_in: as given.
    """

    def __init__(
        self, group: str, built_in: Mapping[str, str], needs: Sequence[str] = ("accepts", "from_settings")
    ) -> None:
        self.group = group
        self._needs = tuple(needs)
        self._broken: set[str] = set()
        self.built_in = dict(built_in)
        self._registered: dict[str, Any] = {}

    @cached_property
    def _installed(self) -> dict[str, metadata.EntryPoint]:
        return {point.name: point for point in metadata.entry_points(group=self.group)}

    def register(self, name: str, feature: type) -> None:
        """Add or replace a class in this process.

        Raises:
            TypeError: it is no class, or lacks a method.
        """
        self._registered[name] = self._checked(feature)

    def unregister(self, name: str) -> None:
        """Undo `register`. Does nothing for another name."""
        self._registered.pop(name, None)

    def _checked(self, feature: Any) -> Any:
        missing = [one for one in self._needs if not callable(getattr(feature, one, None))]
        if missing or not isinstance(feature, type):
            what = f"has no {' and no '.join(missing)}" if missing else "is no class"
            raise TypeError(f"{getattr(feature, '__name__', feature)!r} {what}, which {self.group} must have")
        return feature

    def accepting(self, *arguments: Any, named: str = "", without: Collection[str] = ()) -> Iterator[str]:
        """The names of the classes that accept the arguments; a class of another package also if it is called `named`.

        A class of another package that fails does not stop the search: a warning names it, once.
        """
        for name in (one for one in self if one not in without):
            try:
                accepts = (name == named and name in self.extensions) or self[name].accepts(*arguments)
            except Exception as error:
                if name not in self.extensions:
                    raise
                accepts = False
                if name not in self._broken:
                    self._broken.add(name)
                    log.warning("%s %r is not used: %s", self.group, name, error)
            if accepts:
                yield name

    @property
    def extensions(self) -> set[str]:
        """The names that other packages have added."""
        return {*self._registered, *self._installed}

    def __getitem__(self, name: str) -> Any:
        """The class of this name, imported now.

        Raises:
            KeyError: there is no such name, with the nearest one.
            ConfigError: the class of another package cannot be imported, or lacks a method.
        """
        if name in self._registered:
            return self._registered[name]
        if name in self._installed:
            return self._load(self._installed[name])
        if name not in self.built_in:
            raise KeyError(f"{self.group} has no {name!r}{nearest(name, self)}")
        module, _, attribute = self.built_in[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def _load(self, point: metadata.EntryPoint) -> Any:
        try:
            return self._checked(point.load())
        except Exception as error:  # code of another package: the message names the package
            owner = "a package" if point.dist is None else f"the package {point.dist.name}"
            message = f"{owner} cannot provide {point.value} ({self.group}): {error}; repair or uninstall it"
            raise ConfigError(message) from error

    def __repr__(self) -> str:
        return f"<{self.group}: {', '.join(self)}>"

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self._registered or name in self._installed

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._registered, *self._installed, *self.built_in))

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
        "nanodet": "streamer.detectors.litert.nanodet:NanoDetDetector",
        "starter": "streamer.detectors.litert.starter:StarterDetector",
        "recorded": "streamer.detectors.recorded:RecordedDetector",
        "kserve": "streamer.detectors.kserve.detector:KServeDetector",
        "ray": "streamer.detectors.ray.detector:RayDetector",
        "onnx": "streamer.detectors.onnx.detector:OnnxDetector",
        "hub": "streamer.detectors.tfhub.hub:HubDetector",
    },
)
TRACKERS = Registry(
    "streamer.trackers",
    {
        "iou": "tracking.iou:IouTracker",
        "cascade": "tracking.cascade:CascadeTracker",
    },
    needs=("update", "to_carry", "predict", "reset"),
)
POLICIES = Registry(
    "streamer.policies",
    {
        "gain": "streamer.inference.policies:GainPolicy",
        "round_robin": "streamer.inference.policies:RoundRobin",
    },
    needs=("choose",),
)
ANNOTATORS = Registry(  # in the order in which they draw: labels avoid what others reserve before them
    "streamer.annotators",
    {
        "trails": "streamer.render.overlays.trails:TrailAnnotator",
        "boxes": "streamer.render.boxes:BoxAnnotator",
        "zones": "streamer.render.overlays.rules:ZoneAnnotator",
        "lines": "streamer.render.overlays.rules:LineAnnotator",
        "counts": "streamer.render.overlays.counts:CountsAnnotator",
        "hud": "streamer.render.overlays.hud:HudAnnotator",
        "labels": "streamer.render.labels.annotator:LabelAnnotator",
    },
)
SINKS = Registry(
    "streamer.sinks",
    {
        "stream": "streamer.sinks.publish.stream:StreamSink",
        "mjpeg": "streamer.sinks.mjpeg.mjpeg:MjpegSink",
        "jsonl": "streamer.sinks.text.json_lines:JsonLinesSink",
        "csv": "streamer.sinks.text.csv_rows:CsvSink",
        "mot": "streamer.sinks.text.mot_text:MotSink",
        "events": "streamer.sinks.text.events:EventsSink",
        "crossings": "streamer.sinks.text.events:CrossingsSink",
        "window": "streamer.sinks.window.window:WindowSink",
        "images": "streamer.sinks.images.images:ImageSink",
        "recording": "streamer.sinks.segments.recording:RecordingSink",
        "video": "streamer.sinks.video.video:VideoSink",
    },
)
TARGETS = Registry(
    "streamer.targets",
    {
        "mqtt": "streamer.notify.mqtt.target:MqttTarget",
        "apprise": "streamer.notify.apprise.target:AppriseTarget",
        "webhook": "streamer.notify.webhook.target:WebhookTarget",
        "command": "streamer.notify.command:CommandTarget",
    },
    needs=("from_settings", "deliver", "cancel", "close"),
)
ALL = (SOURCES, DETECTORS, TRACKERS, POLICIES, ANNOTATORS, SINKS, TARGETS)
