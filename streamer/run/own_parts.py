"""Parts of a run that its caller has built. Made by the thread that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import BuiltDetectors
from streamer.events.camera_events import CameraEvents
from streamer.features import DetectorContext
from streamer.flow.observers import RunObserver
from streamer.interfaces import Annotator, Detector, Sink, Source
from streamer.values.labels import LabelTable
from tracking.types import Tracker


class DetectorProvider(Protocol):
    """Has detectors that several runs use, one after the other or in turns."""

    @property
    def longest_interval_s(self) -> float:
        """The longest time between two detections of a run; 0 if no other run has turns."""
        ...

    def check_classes(self, settings: DetectorSettings) -> LabelTable | None:
        """See `streamer.detectors.selection.check_classes`."""
        ...

    def build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:
        """The detectors for a run, which does not close them. Raises what `build_detector` raises."""
        ...


@dataclass(frozen=True, slots=True)
class OwnParts:
    """Parts that the caller has built; they replace those of the settings, or add to them. Detectors are not closed.

    Attributes:
        source: replaces the uri; not yet entered.
        detector: replaces `detector.name`.
        detectors: has the detectors of `detector.name`, which other runs use too.
        tracker: replaces `tracker.name`.
        annotators: draw last.
        sinks: written last; not yet entered. They get every frame, and their failure ends the run.
        draw: draw every frame, also without an output that needs it.
        observers: observe the run, too.
        events: stores the events of the run, in place of `store` and `notify` of the settings.
    """

    source: Source | None = None
    detector: Detector | None = None
    detectors: DetectorProvider | None = None
    tracker: Tracker | None = None
    annotators: Sequence[Annotator] = ()
    sinks: Sequence[Sink] = ()
    draw: bool = False
    observers: Sequence[RunObserver] = ()
    events: CameraEvents | None = None
