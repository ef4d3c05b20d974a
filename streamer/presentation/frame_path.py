"""The route of frames together with the presentation that understands what this route delivers."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.flow.cadence import Cadence, Schedule
from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.newest import NewestRoute
from streamer.flow.playout import Playout
from streamer.flow.routes import LosslessRoute, Route, never
from streamer.flow.simulated_clock import Latency, SimulatedRoute
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
    ledger: FrameLedger,
    *,
    live: bool,
    cadence: Cadence,
    overlay: Overlay,
    delay_s: float | None = None,
    latency: Latency | None = None,
    keep_all: bool = False,
    playout: Playout | None = None,
) -> FramePath:
    """The path of frames through a run; arguments are as for `streamer.pipeline.Pipeline`."""
    selects, every_frame = Schedule(cadence).selects, overlay is not Overlay.DETECTED
    if not live and latency is None:
        return FramePath(LosslessRoute(ledger, selects), EveryFrame(tracker, all_frames=cadence.all_frames))
    presentation = live_presentation(tracker, overlay, delay_s)
    next_due_s = presentation.next_due_s if isinstance(presentation, ShowDelayed) else never
    if latency is not None:
        route: Route = SimulatedRoute(ledger, selects, latency, every_frame=every_frame, next_due_s=next_due_s)
    else:
        route = NewestRoute(
            ledger, selects, every_frame=every_frame, keep_all=keep_all, playout=playout, next_due_s=next_due_s
        )
    return FramePath(route, presentation)


def live_presentation(tracker: Tracker, overlay: Overlay, delay_s: float | None) -> Presentation:
    """The presentation of a live source, also of one that is simulated or replayed."""
    if overlay is Overlay.DELAYED:
        return ShowDelayed(tracker, delay_s)
    return ShowNow(tracker) if overlay is Overlay.NOW else ShowDetected(tracker)
