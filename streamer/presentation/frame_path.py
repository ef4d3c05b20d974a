"""The route of frames together with the presentation that understands what this route delivers."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.flow.cadence import Cadence, Schedule
from streamer.flow.newest import NewestRoute
from streamer.flow.playout import Playout
from streamer.flow.routes import LosslessRoute, Route, never
from streamer.flow.simulated_clock import Latency, SimulatedRoute
from streamer.flow.stats import RunStats
from streamer.flow.turns import Turns
from streamer.inference.shared_detector import SharedDetector
from streamer.interfaces import Detector
from streamer.motion.detection_demand import DetectionDemand
from streamer.motion.expected_gain import ExpectedGain
from streamer.motion.lookahead import LookaheadRoute
from streamer.motion.motion_field import MotionEstimator
from streamer.presentation.delayed import ShowDelayed
from streamer.presentation.every_frame import EveryFrame
from streamer.presentation.live import ShowDetected, ShowNow
from streamer.presentation.presentation import Presentation
from streamer.values.states import Overlay
from tracking.types import Tracker


@dataclass(frozen=True, slots=True)
class FramePath:
    """From the capture thread to the display thread, and from deliveries to frames with tracks."""

    route: Route
    presentation: Presentation


def build_frame_path(
    tracker: Tracker,
    stats: RunStats,
    *,
    live: bool,
    cadence: Cadence,
    overlay: Overlay,
    delay_s: float | None = None,
    latency: Latency | None = None,
    keep_all: bool = False,
    playout: Playout | None = None,
    detector: Detector | None = None,
) -> FramePath:
    """The path of frames through a run; arguments are as for `streamer.pipeline.Pipeline`.

    Args:
        detector: takes turns, if other streams share it.

    Raises:
        ValueError: a live source cannot be detected by `Cadence.max_gap_s`.
    """
    shared = detector if isinstance(detector, SharedDetector) else None
    if not live and latency is None:
        return _path_of_files(tracker, stats, cadence, shared)
    if cadence.max_gap_s is not None:
        raise ValueError("max_gap_s is for files: a live source is detected as often as the detector can")
    ledger, selects, every_frame = stats.ledger, Schedule(cadence).selects, overlay is not Overlay.DETECTED
    presentation = live_presentation(tracker, overlay, delay_s, None if shared is None else shared.gain)
    next_due_s = presentation.next_due_s if isinstance(presentation, ShowDelayed) else never
    if latency is not None:
        route: Route = SimulatedRoute(ledger, selects, latency, every_frame=every_frame, next_due_s=next_due_s)
    else:
        route = NewestRoute(
            ledger,
            selects,
            every_frame=every_frame,
            keep_all=keep_all,
            playout=playout,
            next_due_s=next_due_s,
            turns=shared,
        )
    return FramePath(route, presentation)


def _path_of_files(tracker: Tracker, stats: RunStats, cadence: Cadence, turns: Turns | None) -> FramePath:
    if cadence.max_gap_s is not None:
        demand = DetectionDemand(cadence.max_gap_s, stats)
        return FramePath(LookaheadRoute(stats.ledger, demand, turns), EveryFrame(tracker, demand))
    estimator = None if cadence.all_frames else MotionEstimator()
    return FramePath(LosslessRoute(stats.ledger, Schedule(cadence).selects, turns), EveryFrame(tracker, estimator))


def live_presentation(
    tracker: Tracker, overlay: Overlay, delay_s: float | None, gain: ExpectedGain | None = None
) -> Presentation:
    """The presentation of a live source, also of one that is simulated or replayed; it keeps `gain` up to date."""
    if overlay is Overlay.DELAYED:
        return ShowDelayed(tracker, delay_s, gain)
    return ShowNow(tracker, gain) if overlay is Overlay.NOW else ShowDetected(tracker, gain)
