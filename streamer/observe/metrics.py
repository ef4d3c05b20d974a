"""The figures of a run for Prometheus, at `/metrics`.

They are read when Prometheus asks, on the server's own thread (`streamer.web.server`), from snapshots that any thread
may take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streamer.errors import ConfigError
from streamer.flow.stats import DurationHistogram
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS, redacted
from streamer.values.states import FrameState
from streamer.web.server import WebPages

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of every histogram, in seconds."""

_ADDRESS = re.compile(r"(?:(?P<host>\[[^\]]+\]|[^:]*):)?(?P<port>\d{1,5})")
_COUNTERS: dict[str, tuple[str, str, str | None]] = {
    "flagged corrupt": ("streamer_frames_flagged_corrupt", "Frames that the decoder flagged as damaged.", None),
    "reconnect": ("streamer_reconnects", "Connections to the source that were made anew.", "cause"),
    "not analysed": ("streamer_analysis_outages", "Times that no picture could be analysed for 10 s.", "cause"),
    "written": ("streamer_output_written_frames", "Frames of a live source that an output took.", "output"),
    "skipped": ("streamer_output_skipped_frames", "Frames that an output was too slow for.", "output"),
}
_GAUGES: dict[str, tuple[str, str, str | None]] = {
    "queue_depth": ("streamer_queue_depth", "Items that wait in a queue.", "queue"),
    "source_connected": ("streamer_source_connected", "1 while the source is connected.", None),
    "sink_connected": ("streamer_output_connected", "1 while an output is connected.", "output"),
}


class LedgerFigures(Protocol):
    """What became of the frames."""

    def snapshot(self) -> tuple[int, Mapping[tuple[FrameState, str], int]]:
        """Frames that came in, and frames by (state, cause), of one moment."""
        ...


class Figures(Protocol):
    """What is told of a run (`streamer.flow.stats.RunStats`). Each is a snapshot; any thread may ask for it."""

    @property
    def ledger(self) -> LedgerFigures: ...

    @property
    def stages(self) -> Mapping[str, DurationHistogram]:
        """Durations by stage."""
        ...

    @property
    def ages(self) -> Mapping[str, DurationHistogram]:
        """Ages of pictures by place: `detector`, `shown`."""
        ...

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """What was counted by (what, of): `("reconnect", cause)`, `("skipped", output)`."""
        ...

    @property
    def gauges(self) -> Mapping[tuple[str, str], float]:
        """States by (what, of): `("queue_depth", queue)`, `("source_connected", "")`."""
        ...


class MetricsServer(WebPages):
    """Serves `/metrics` from entering to leaving.

    Args:
        address: `[host]:port` or a port; this machine only without a host. Port 0 lets the system choose.
        source_name: the value of the label `source`; credentials and query are taken out of it.
        figures: of the run.

    Raises:
        ConfigError: no address.
        SinkUnavailable: on entering, when it cannot listen there.
    """

    def __init__(self, address: str, source_name: str, figures: Figures) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or int(match["port"]) > 65_535:
            raise ConfigError(f"metrics address {address!r}: write HOST:PORT, or :9090 for this machine only")
        registry = CollectorRegistry(auto_describe=False)
        registry.register(RunCollector(source_name, figures))
        ProcessCollector(registry=registry)

        routes = [web.get("/metrics", make_aiohttp_handler(registry))]
        host = (match["host"] or "").strip("[]")
        super().__init__(f"the metrics address {address}", host, int(match["port"]), routes)


class RunCollector(Collector):
    """Turns the figures of a run into metrics, anew for every scrape.

    Args:
        source_name: the value of the label `source`.
        figures: of the run.
    """

    def __init__(self, source_name: str, figures: Figures) -> None:
        self._source = readable(SECRETS.hide(redacted(source_name)))
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All metrics; called by the server's thread."""
        yield from self._frames()
        yield from self._histograms()
        for kind, (name, text, label) in _COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=_labels(label))
            for (what, of), count in self._figures.counts.items():
                if what == kind:
                    counter.add_metric(self._values(label, of), count)
            yield counter
        for kind, (name, text, label) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=_labels(label))
            for (what, of), value in self._figures.gauges.items():
                if what == kind:
                    gauge.add_metric(self._values(label, of), value)
            yield gauge
        info = GaugeMetricFamily("streamer_build_info", "1, with the version as a label.", labels=["version"])
        info.add_metric([_version()], 1)
        yield info

    def _frames(self) -> Iterator[Metric]:
        entered, settled = self._figures.ledger.snapshot()
        came_in = CounterMetricFamily("streamer_frames_entered", "Frames that were demuxed.", labels=["source"])
        came_in.add_metric([self._source], entered)
        frames = CounterMetricFamily(
            "streamer_frames", "Frames by their final state and its cause.", labels=["source", "state", "cause"]
        )
        for (state, cause), count in settled.items():
            frames.add_metric([self._source, state, SECRETS.hide(cause)], count)
        in_flight = GaugeMetricFamily("streamer_frames_in_flight", "Frames without a state yet.", labels=["source"])
        in_flight.add_metric([self._source], entered - sum(settled.values()))
        yield from (came_in, frames, in_flight)

    def _histograms(self) -> Iterator[Metric]:
        for name, text, label, times in (
            ("streamer_frame_age_seconds", "Age of pictures from their arrival.", "at", self._figures.ages),
            ("streamer_stage_duration_seconds", "Time that one frame took.", "stage", self._figures.stages),
        ):
            histogram = HistogramMetricFamily(name, text, labels=_labels(label))
            for of, one in times.items():
                histogram.add_metric(self._values(label, of), buckets=buckets(one), sum_value=one.total_s)
            yield histogram

    def _values(self, label: str | None, value: str) -> list[str]:
        return [self._source] if label is None else [self._source, SECRETS.hide(value)]


def buckets(times: DurationHistogram) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound, as Prometheus wants them.

    A bin of `DurationHistogram` that a bound lies in counts as below it: every duration up to the bound is counted, and
    at most those that are 4.9% longer.
    """
    below: list[tuple[str, float]] = []
    for bound_s, last in zip(BOUNDS_S, _LAST_BINS, strict=True):
        below.append((repr(bound_s), sum(count for key, count in times.bins.items() if key <= last)))
    return [*below, ("+Inf", times.count)]


def _bin_of(duration_s: float) -> int:
    times = DurationHistogram()
    times.add(duration_s)
    return next(iter(times.bins))


_LAST_BINS = tuple(map(_bin_of, BOUNDS_S))


def _labels(label: str | None) -> list[str]:
    return ["source"] if label is None else ["source", label]


def _version() -> str:
    try:
        return metadata.version("streamer-video")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "unknown"
