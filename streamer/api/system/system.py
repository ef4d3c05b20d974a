"""The figures of the program: frames, latency, detectors, store, targets. Any thread; it reads the store."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.operation import Call, Operation
from streamer.api.system.models import (
    CameraFigures,
    DetectorFigures,
    Latency,
    Ledger,
    StoreFigures,
    System,
    TargetFigures,
)
from streamer.flow.stats import DurationHistogram, RunStats
from streamer.serve.rates import of_detectors
from streamer.serve.site import Site
from streamer.store.event_store import EventStore
from streamer.store.retention.retention import disk_space
from streamer.system.paths import encodable
from streamer.system.secrets import SECRETS
from streamer.values.states import FrameState

_PERCENT = 95


def operations(context: ApiContext) -> Sequence[Operation]:
    """The system."""
    began_s = time.monotonic()

    async def system(_: Call) -> System:
        return await asyncio.to_thread(system_of, context.site, time.monotonic() - began_s)

    return (Operation("GET", "/system", "Figures of the program", Access.VIEWER, system, answer=System),)


def system_of(site: Site, uptime_s: float) -> System:
    """The figures of a site.

    Args:
        site: the site.
        uptime_s: since it was started, seconds.
    """
    events = site.events
    return System(
        version=sys.modules["streamer"].__version__,
        uptime_s=round(uptime_s, 1),
        detectors=tuple(detectors_of(site)),
        cameras=tuple(
            CameraFigures(name=one.name, ledger=ledger_of(one.stats), latency=tuple(latency_of(one.stats)))
            for one in site.cameras()
        ),
        store=None if events is None else _store(events.store),
        targets=tuple(
            TargetFigures(
                name=status.name,
                type=status.type,
                waiting=waiting,
                delivered=status.delivered,
                dropped=status.refused + status.expired,
                reason="" if status.failing_since_s is None else SECRETS.hide(status.error),
            )
            for status, waiting in site.targets()
        ),
    )


def detectors_of(site: Site) -> list[DetectorFigures]:
    """The detectors of the cameras, in the order of the cameras."""
    return [
        DetectorFigures(
            name=one.name,
            workers=one.workers,
            fps=round(rates.detected_fps, 2),
            detect_s=None if rates.detect_s is None else round(rates.detect_s, 4),
            busy=round(min(rates.busy, 1.0), 3),
        )
        for one, rates in of_detectors(site.cameras(), site.rates.latest)
    ]


def ledger_of(stats: RunStats) -> Ledger:
    """What became of the frames of a run."""
    entered, settled = stats.ledger.snapshot()
    states, causes = Counter[FrameState](), Counter[str]()
    for (state, cause), frames in settled.items():
        states[state] += frames
        if cause:
            causes[cause] += frames
    return Ledger(
        entered=entered,
        **{state.value: states[state] for state in FrameState},
        in_flight=entered - states.total(),
        dropped_by_cause={encodable(cause): frames for cause, frames in causes.most_common()},
    )


def latency_of(stats: RunStats) -> list[Latency]:
    """The stages in the order of a frame's path, then the ages of frames."""
    stages = [_latency(stage, times) for stage, times in stats.stages.items()]
    return stages + [_latency(f"age at {place}", times) for place, times in stats.ages.items()]


def _latency(stage: str, times: DurationHistogram) -> Latency:
    mean_s = times.total_s / times.count if times.count else 0.0
    p95_s = times.percentile_s(_PERCENT)
    return Latency(
        stage=encodable(SECRETS.hide(stage)), frames=times.count, mean_s=round(mean_s, 6), p95_s=round(p95_s, 6)
    )


def _store(store: EventStore) -> StoreFigures:
    events, size = store.totals()
    try:
        free: int | None = disk_space(store.folder)[0]
    except OSError:
        free = None
    return StoreFigures(folder=encodable(str(store.folder)), events=events, bytes=size, free_bytes=free)
