"""`streamer.open`: the scenes of one run as an iterator, for scripts and notebooks.

One thread iterates; `stop` may be called by any other.
"""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamer.config.output import OutputEntry
from streamer.config.settings import Settings
from streamer.detectors.function import DetectFunction, FunctionDetector
from streamer.errors import ConfigError, Interrupted
from streamer.flow.observers import RunObserver
from streamer.flow.stats import RunStats
from streamer.interfaces import Annotator, Detector, Scene, Sink, Source, StreamInfo
from streamer.pipeline import Pipeline
from streamer.run.arguments import check_parts, merged_settings
from streamer.run.build import build_run
from streamer.run.loaded_detector import LoadedDetector
from streamer.run.outputs import Outputs
from streamer.run.own_parts import OwnParts
from streamer.values.events import Event
from tracking.types import Tracker

log = logging.getLogger(__name__)

Output = str | Path | OutputEntry | Sink


class Scenes(Iterator[Scene]):
    """The scenes of a run, in presentation order; `open` makes it.

    At the end, when it is closed, when nothing refers to it any more, and at the end of the program, all outputs are
    completed. An error in the run, or inside a `with` block, deletes incomplete output files.

    Attributes:
        info: properties of the source.
        detector: one line that names the detector and the reason for the choice.
        stats: figures of the run; complete at the end.
    """

    def __init__(self, source: str, outputs: Outputs, settings: Settings, own: OwnParts) -> None:
        self.stats = RunStats()
        self._ended = False
        self._has_outputs = bool(outputs.entries or own.sinks)
        outputs.check(source)
        self._stack = ExitStack()
        self._final = _FinalEvents()
        this = weakref.ref(self)  # a part that referred to this object would keep it alive
        try:
            run = build_run(
                source,
                outputs,
                settings,
                self._stack,
                stats=self.stats,
                message=lambda _: None,
                on_close=lambda: _stop(this()),
                observers=(self._final,),
                own=own,
            )
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        self.info: StreamInfo = run.info
        self.detector: str = run.detector
        self._pipeline = run.pipeline
        self._scenes = _iterate(self._pipeline, self._stack)
        # Threads of the run still exist when this is called at the end of the program, but not when globals are freed.
        weakref.finalize(self, _close, self._scenes, self._stack)

    def __iter__(self) -> Self:
        if self._ended:
            raise RuntimeError("this run has ended, and its scenes are gone; call streamer.open again")
        return self

    def __next__(self) -> Scene:
        try:
            return next(self._scenes)
        except BaseException:
            self._ended = True
            raise

    @property
    def final_events(self) -> tuple[Event, ...]:
        """The ends of the events that lasted at the end of the run, such as `leave`; empty before that."""
        return self._final.events

    def run(self) -> None:
        """Run to the end, for the outputs alone. Logs a warning if there is no output."""
        if not self._has_outputs:
            log.warning("run() writes nothing without an output; use streamer.open(..., outputs='out.mp4')")
        for _ in self:
            pass

    def stop(self) -> None:
        """End the iteration after the scene in progress. Any thread, but not a signal handler."""
        self._pipeline.stop()

    def close(self) -> None:
        """End the run and complete the outputs. Closing twice is fine."""
        self._ended = True
        _close(self._scenes, self._stack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        if error is None:
            self.close()
            return
        with contextlib.suppress(type(error)):
            self._scenes.throw(error)
        self._stack.__exit__(kind, error, traceback)  # does nothing if the iteration had begun


class _FinalEvents(RunObserver):
    """Keeps the events that end with the run: no scene of the iteration has them."""

    events: tuple[Event, ...] = ()

    def events_ended(self, scene: Scene) -> None:
        """See `RunObserver`."""
        self.events = scene.watched.events


def _iterate(pipeline: Pipeline, stack: ExitStack) -> Generator[Scene, None, None]:
    with stack, contextlib.suppress(GeneratorExit, Interrupted):
        yield from pipeline


def _close(scenes: Generator[Scene, None, None], stack: ExitStack) -> None:
    scenes.close()
    stack.close()  # does nothing if the iteration had begun


def _stop(scenes: Scenes | None) -> None:
    if scenes is not None:
        scenes.stop()


def open(
    source: str | int | Path | Source,
    *,
    detector: str | Detector | DetectFunction | LoadedDetector | None = None,
    tracker: str | Tracker | None = None,
    classes: Sequence[str] = (),
    min_score: float | None = None,
    annotators: Sequence[str | Annotator] = (),
    outputs: Output | Sequence[Output] = (),
    settings: Settings | Mapping[str, Any] | None = None,
    draw: bool = False,
    overwrite: bool = False,
) -> Scenes:
    """Open a video, images, a webcam or a camera, and detect and track what is on each frame.

    Args:
        source: a file, a folder or pattern of images, 0 for the first webcam, an address such as `rtsp://...`, or a
            source of your own.
        detector: a name, a model (URL, file, folder), what `load_detector` returned, or a detector of your own: an
            object, or a function that gets a frame as uint8 RGB `(height, width, 3)` and returns boxes `(N, 4)`, scores
            `(N,)` and N class names. `auto` if None.
        tracker: a name, or a tracker of your own; `cascade` if None.
        classes: names of the classes to keep, each with the classes below it; all if empty.
        min_score: detections below this score are dropped; the detector's own bound if None.
        annotators: names or annotators of your own, drawn after the built-in ones.
        outputs: one or several files, addresses, or sinks of your own. Without one nothing is written.
        settings: `load_settings(...)`, or a mapping of dotted names: `{"detector.every": 5}`.
        draw: draw every frame, for `Scene.rgb` and `Scene.picture`, also without an output that needs it.
        overwrite: replace output files that exist.

    Returns:
        An iterator of scenes, and a context manager that ends the run.

    Raises:
        StreamerError: the source, the model or an output cannot be opened, or a setting is wrong.
        TypeError: a part of your own lacks a method or an attribute.
    """
    if isinstance(outputs, str | Path | OutputEntry) or not isinstance(outputs, Sequence):
        outputs = (outputs,)
    named = {
        "detector.name": detector if isinstance(detector, str) else None,
        "tracker.name": tracker if isinstance(tracker, str) else None,
        "draw.annotators": [one for one in annotators if isinstance(one, str)] or None,
    }
    loaded = merged_settings(settings, named, classes, min_score)
    entries = [_entry(one, loaded) for one in outputs if isinstance(one, str | Path | OutputEntry)]
    own = OwnParts(
        source=None if isinstance(source, str | int | Path) else source,
        detector=_own_detector(detector, loaded),
        tracker=None if isinstance(tracker, str) else tracker,
        annotators=tuple(one for one in annotators if not isinstance(one, str)),
        sinks=tuple(one for one in outputs if not isinstance(one, str | Path | OutputEntry)),
        draw=draw,
    )
    check_parts(own)
    uri = str(source) if own.source is None else ""
    return Scenes(uri, Outputs((*entries, *loaded.outputs), overwrite=overwrite), loaded, own)


def _own_detector(
    detector: str | Detector | DetectFunction | LoadedDetector | None, settings: Settings
) -> Detector | None:
    if detector is None or isinstance(detector, str):
        return None
    if isinstance(detector, LoadedDetector):
        return detector.for_frames()
    if isinstance(detector, type) or not callable(detector) or hasattr(detector, "detect"):
        return detector  # type: ignore[return-value]  # `check_parts` refuses what is no detector
    if settings.detector.classes:
        raise ConfigError("classes select from the classes of a detector, and a function has none; filter in it")
    return FunctionDetector(detector)


def _entry(output: str | Path | OutputEntry, settings: Settings) -> OutputEntry:
    if isinstance(output, OutputEntry):
        return output
    return settings.output.entry(str(output))
