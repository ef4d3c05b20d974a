"""Builds the parts of a run from its settings. Whatever can be refused is refused here, before the first frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from streamer.analytics.build import build_rules, check_rules
from streamer.classes.class_filter import ClassFilter
from streamer.config.settings import Settings
from streamer.config.source import SourceSettings
from streamer.detectors import selection
from streamer.detectors.selection import BuiltDetectors
from streamer.errors import ConfigError, SinkError
from streamer.events.service import event_observers
from streamer.features import DetectorContext, SourceContext
from streamer.flow.cadence import choose_cadence
from streamer.flow.observers import RunObserver, packet_tap
from streamer.flow.playout import Playout
from streamer.flow.simulated_clock import Latency
from streamer.flow.stats import RunStats
from streamer.interfaces import PassthroughSource, Sink, Source, StreamInfo
from streamer.observe.scene_figures import SceneFigures
from streamer.observe.warnings import RunWarnings
from streamer.pipeline import Pipeline
from streamer.render.annotators import build_annotators
from streamer.run.outputs import Outputs
from streamer.run.own_parts import OwnParts
from streamer.run.trackers import build_tracker, tracker_settings
from streamer.sinks.selection import OpenSinks
from streamer.sources.selection import open_source
from streamer.system.secrets import redacted
from streamer.values.labels import LabelTable
from streamer.values.recordings import RecordedFile
from streamer.values.states import Overlay
from tracking import assignment


@dataclass(frozen=True, slots=True)
class BuiltRun:
    """A run that is ready to start.

    Attributes:
        pipeline: yields the scenes.
        info: properties of the source.
        detector: which detector runs, and why.
        sinks: those of the outputs, in their order, then those of the caller.
        observers: of the run.
        others_with_notes: their notes belong in the report, too.
        detector_notes: of the detectors, for the report.
    """

    pipeline: Pipeline
    info: StreamInfo
    detector: str
    sinks: Sequence[Sink]
    observers: Sequence[RunObserver] = ()
    others_with_notes: Sequence[RunWarnings | PassthroughSource] = ()
    detector_notes: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """The notes of all parts, once the run has ended and they are left."""
        others = [note for part in self.others_with_notes for note in part.notes]
        return [*self.detector_notes, *others, *(note for sink in self.sinks for note in sink.notes)]


def build_run(
    uri: str,
    outputs: Outputs,
    settings: Settings,
    stack: ExitStack,
    *,
    stats: RunStats,
    message: Callable[[str], None],
    on_close: Callable[[], None],
    observers: Sequence[RunObserver] = (),
    own: OwnParts | None = None,
    opening: Callable[[Source], None] = lambda _: None,
) -> BuiltRun:
    """Open the source and the sinks, load the detector and connect all parts.

    Args:
        uri: the source as the user gave it.
        outputs: where the results go.
        settings: the settings of the run.
        stack: closes everything that is opened here.
        stats: gets the figures of the run.
        message: gets one line about each step that takes time.
        on_close: called when the user closes a window.
        observers: observe the run.
        own: parts that the caller has built.
        opening: gets the source before it is entered, to stop it while it connects.

    Raises:
        StreamerError: a part cannot be built.
    """
    own = own or OwnParts()
    warnings = RunWarnings(settings.detector, stats)
    stored = event_observers(uri, settings, stats, stack, own.events)
    observers = (*observers, *own.observers, *stored, warnings, SceneFigures(stats))
    source = _enter_source(own.source or uri, settings, stack, stats, observers, message, opening)
    if settings.metrics.address is not None:
        message(f"metrics at {_serve_metrics(settings.metrics.address, source.info, stats, stack, observers)}")
    info = source.info
    shown, every = choose_overlay(settings, info), choose_cadence(settings.detector, info)
    latency = None if settings.detector.latency is None else Latency.parse(settings.detector.latency)
    interval_s = max(every.interval_s(info.average_fps), own.detectors.longest_interval_s if own.detectors else 0.0)
    tracker = own.tracker or build_tracker(tracker_settings(settings), detection_interval_s=interval_s)
    if info.live:
        assignment.prepare()
    _check_classes(own, settings)
    sinks = _enter_sinks(outputs, source, settings, stack, on_close, own.sinks, observers)
    built = _build_detectors(own, settings, info, stack, stats, message)
    pipeline = Pipeline(
        source,
        built.detectors,
        tracker,
        annotators=[*build_annotators(settings.draw, settings.extensions), *own.annotators],
        sinks=sinks.all,
        cadence=every,
        select=warnings.watch(built.detectors, built.keep, tracker),
        draw=own.draw,
        overlay=shown,
        delay_s=settings.delay_s,
        latency=latency,
        optional=sinks.optional,
        keep_all=sinks.keep_all,
        playout=playout(settings.source),
        stats=stats,
        observers=observers,
        rules=build_rules(settings.analytics, built.detectors[0].labels, info, stats.count),
    )
    copied = (source,) if isinstance(source, PassthroughSource) else ()
    return BuiltRun(pipeline, info, built.reason, sinks.all, observers, (warnings, *copied), built.notes)


def _check_classes(own: OwnParts, settings: Settings) -> None:
    """Refuse a wrong class name before a model is downloaded or TensorFlow is imported."""
    if own.detector is not None:
        labels: LabelTable | None = own.detector.labels
    else:
        labels = (own.detectors or selection).check_classes(settings.detector)
    if labels is not None:
        check_rules(settings.analytics, labels, settings.detector.classes)


def _build_detectors(
    own: OwnParts,
    settings: Settings,
    info: StreamInfo,
    stack: ExitStack,
    stats: RunStats,
    message: Callable[[str], None],
) -> BuiltDetectors:
    if own.detector is not None:
        keep = ClassFilter(own.detector.labels, settings.detector, 0.0)
        named = f"using {type(own.detector).__name__}{selection.class_count(own.detector.labels)}"
        return BuiltDetectors([own.detector], getattr(own.detector, "reason", named), keep)
    context = DetectorContext(info=info, say=message, stats=stats, extensions=settings.extensions)
    if own.detectors is not None:
        return own.detectors.build(settings.detector, context)
    built = selection.build_detector(settings.detector, context)
    for detector in built.detectors:
        stack.callback(detector.close)
    return built


def _enter_source(
    uri: str | Source,
    settings: Settings,
    stack: ExitStack,
    stats: RunStats,
    observers: Sequence[RunObserver],
    message: Callable[[str], None],
    opening: Callable[[Source], None],
) -> Source:
    for observer in observers:
        stack.enter_context(observer)
    stats.observe(observers)
    settings.source.login()  # an unreadable password file is refused, also if this source needs no login
    context = SourceContext(stats, packet_tap(observers), settings.extensions)
    source = open_source(uri, settings.source, context) if isinstance(uri, str) else uri
    if isinstance(uri, str) and "://" in uri:
        message(f"connecting to {redacted(uri)}")
    opening(source)
    stack.enter_context(source)
    if source.info.live:
        message(f"source: {_live_picture(source.info)}")
    for observer in observers:
        observer.source_opened(source.info, live=is_live(settings, source.info))
        if isinstance(source, PassthroughSource) and source.passthrough is not None:
            observer.passthrough_opened(source.passthrough)
        stack.callback(observer.source_closing)
    return source


def _serve_metrics(
    address: str, info: StreamInfo, stats: RunStats, stack: ExitStack, observers: Sequence[RunObserver]
) -> str:
    from streamer.observe.metrics import MetricsServer, Stream  # here: it imports aiohttp, which takes 0.1 s

    others = [one for observer in observers for one in observer.collectors()]
    server = stack.enter_context(MetricsServer(address, lambda: [Stream(info.name, stats)], collectors=others))
    return server.url


def _live_picture(info: StreamInfo) -> str:
    rate = "" if info.average_fps is None else f", {float(info.average_fps):.3g} fps"
    return f"{info.name}, {info.width}x{info.height}{rate}"


def _enter_sinks(
    outputs: Outputs,
    source: Source,
    settings: Settings,
    stack: ExitStack,
    on_close: Callable[[], None],
    own: Sequence[Sink],
    observers: Sequence[RunObserver],
) -> OpenSinks:
    passthrough = source.passthrough if isinstance(source, PassthroughSource) else None
    recorded = partial(_tell_recorded, observers)
    sinks = outputs.open_sinks(source.info, settings, on_close, passthrough=passthrough, recorded=recorded)
    sinks.all.extend(own)
    sinks.keep_all.extend(own)
    stack.push(partial(_check_written, sinks.all))
    for sink in sinks.all:
        stack.enter_context(sink)
    return sinks


def _tell_recorded(observers: Sequence[RunObserver], file: RecordedFile) -> None:
    for observer in observers:
        observer.file_recorded(file)


def _check_written(
    sinks: Sequence[Sink], kind: type[BaseException] | None, _error: BaseException | None, _traceback: object
) -> None:
    """After the sinks were left: a run is no success if it had outputs and none of them could ever be written."""
    reasons = [getattr(sink, "never_written", None) for sink in sinks]
    if kind is None and reasons and all(reasons):
        raise SinkError(f"nothing was written: {'; '.join(map(str, reasons))}")


def is_live(settings: Settings, info: StreamInfo) -> bool:
    """Whether the run is live, in real time or on a simulated clock."""
    return info.live or settings.detector.latency is not None


def choose_overlay(settings: Settings, info: StreamInfo) -> Overlay:
    """The overlay of the settings; `auto` depends on the source.

    Raises:
        ConfigError: `now` for a run that is not live.
    """
    if settings.overlay == "auto":
        return Overlay.NOW if is_live(settings, info) else Overlay.DETECTED
    if settings.overlay == "now" and not is_live(settings, info):
        raise ConfigError(
            "overlay now needs a live source; for a file set source.live, or detector.latency to simulate one"
        )
    return Overlay(settings.overlay)


def playout(settings: SourceSettings) -> Playout:
    """When frames of a live source are shown."""
    return Playout(None if settings.jitter_ms == "auto" else float(settings.jitter_ms) / 1000)
