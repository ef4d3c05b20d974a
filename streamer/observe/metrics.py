"""The figures of a run for Prometheus, at `/metrics`.

Each scrape reads snapshots of the figures on the thread of the server (`streamer.web.server`).
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
    "reconnect": ("streamer_reconnects", "Reconnections to the source.", "cause"),
    "not analysed": ("streamer_analysis_outages", "Times that no frame could be analysed for 10 s.", "cause"),
    "picture fault": ("streamer_picture_faults", "Times that the picture became black or frozen.", "cause"),
    "written": ("streamer_output_written_frames", "Frames of a live source that an output wrote.", "output"),
    "skipped": ("streamer_output_skipped_frames", "Frames that an output skipped because it was too slow.", "output"),
}
_GAUGES: dict[str, tuple[str, str, str | None]] = {
    "queue_depth": ("streamer_queue_depth", "Items in a queue.", "queue"),
    "source_connected": ("streamer_source_connected", "1 while the source is connected.", None),
    "sink_connected": ("streamer_output_connected", "1 while an output is connected.", "output"),
}


class LedgerFigures(Protocol):
    """The final states of the frames."""

    def snapshot(self) -> tuple[int, Mapping[tuple[FrameState, str], int]]:
        """Number of frames that entered, and frames by (state, cause), at one moment."""
        ...


class Figures(Protocol):
    """The figures of a run (`streamer.flow.stats.RunStats`). Each property is a snapshot. Any thread."""

    @property
    def stream(self) -> str:
        """Name of the stream; empty in a program with one stream."""
        ...

    @property
    def ledger(self) -> LedgerFigures: ...

    @property
    def stages(self) -> Mapping[str, DurationHistogram]:
        """Durations by stage."""
        ...

    @property
    def ages(self) -> Mapping[str, DurationHistogram]:
        """Ages of frames by place: `detector`, `shown`."""
        ...

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """Counts by (kind, detail): `("reconnect", cause)`, `("skipped", output)`."""
        ...

    @property
    def gauges(self) -> Mapping[tuple[str, str], float]:
        """Current values by (kind, detail): `("queue_depth", queue)`, `("source_connected", "")`."""
        ...


class MetricsServer(WebPages):
    """Serves `/metrics` from entering to leaving.

    Args:
        address: `[host]:port` or a port; this machine only without a host. Port 0 lets the system choose.
        source_name: the value of the label `source`, shown without credentials and query.
        figures: figures of the run.

    Raises:
        ConfigError: the address is invalid.
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
    """Converts the figures of a run to metrics at every scrape.

    Args:
        source_name: the value of the label `source`, and of `stream` if the run has no stream name.
        figures: figures of the run.
    """

    def __init__(self, source_name: str, figures: Figures) -> None:
        source = readable(SECRETS.hide(redacted(source_name)))
        self._common = [figures.stream or source, source]
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All metrics. Called by the thread of the server."""
        yield from self._frames()
        yield from self._histograms()
        for kind, (name, text, label) in _COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=_labels(label))
            for (kind_of, detail), count in self._figures.counts.items():
                if kind_of == kind:
                    counter.add_metric(self._values(label, detail), count)
            yield counter
        for kind, (name, text, label) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=_labels(label))
            for (kind_of, detail), value in self._figures.gauges.items():
                if kind_of == kind:
                    gauge.add_metric(self._values(label, detail), value)
            yield gauge
        info = GaugeMetricFamily("streamer_build_info", "1, with the version as a label.", labels=["version"])
        info.add_metric([_version()], 1)
        yield info

    def _frames(self) -> Iterator[Metric]:
        entered, settled = self._figures.ledger.snapshot()
        came_in = CounterMetricFamily("streamer_frames_entered", "Frames that were demuxed.", labels=_labels())
        came_in.add_metric(self._common, entered)
        frames = CounterMetricFamily(
            "streamer_frames", "Frames by their final state and its cause.", labels=_labels("state", "cause")
        )
        for (state, cause), count in settled.items():
            frames.add_metric([*self._common, state, SECRETS.hide(cause)], count)
        in_flight = GaugeMetricFamily("streamer_frames_in_flight", "Frames without a state yet.", labels=_labels())
        in_flight.add_metric(self._common, entered - sum(settled.values()))
        yield from (came_in, frames, in_flight)

    def _histograms(self) -> Iterator[Metric]:
        for name, text, label, times in (
            ("streamer_frame_age_seconds", "Age of frames since their arrival.", "at", self._figures.ages),
            ("streamer_stage_duration_seconds", "Processing time of one frame.", "stage", self._figures.stages),
        ):
            histogram = HistogramMetricFamily(name, text, labels=_labels(label))
            for detail, one in times.items():
                histogram.add_metric(self._values(label, detail), buckets=buckets(one), sum_value=one.total_s)
            yield histogram

    def _values(self, label: str | None, value: str) -> list[str]:
        return self._common if label is None else [*self._common, SECRETS.hide(value)]


def buckets(times: DurationHistogram) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound, in the form of Prometheus.

    A bin of `DurationHistogram` that contains a bound counts as below it: all durations up to the bound are counted,
    and those that are up to 4.9% longer may be.
    """
    counts: list[tuple[str, float]] = []
    for bound_s, last in zip(BOUNDS_S, _LAST_BINS, strict=True):
        counts.append((repr(bound_s), sum(count for key, count in times.bins.items() if key <= last)))
    return [*counts, ("+Inf", times.count)]


def _bin_of(duration_s: float) -> int:
    times = DurationHistogram()
    times.add(duration_s)
    return next(iter(times.bins))


_LAST_BINS = tuple(map(_bin_of, BOUNDS_S))


def _labels(*labels: str | None) -> list[str]:
    return ["stream", "source", *filter(None, labels)]


def _version() -> str:
    try:
        return metadata.version("streamer-video")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "unknown"
