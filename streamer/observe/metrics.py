"""The figures of all streams for Prometheus, at `/metrics`.

Each scrape reads snapshots of the figures on the thread of the server (`streamer.web.server`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import NamedTuple, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streamer.flow.stats import DurationHistogram
from streamer.observe.rule_metrics import rule_metrics
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS, redacted
from streamer.values.states import FrameState
from streamer.web.address import parse_address
from streamer.web.server import WebPages

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of every histogram, in seconds."""

_COUNTERS: dict[str, tuple[str, str, str | None]] = {
    "flagged corrupt": ("streamer_frames_flagged_corrupt", "Frames that the decoder flagged as damaged.", None),
    "reconnect": ("streamer_reconnects", "Reconnections to the source.", "cause"),
    "not analysed": ("streamer_analysis_outages", "Times that no frame could be analysed for 10 s.", "cause"),
    "picture fault": ("streamer_picture_faults", "Times that the picture became black or frozen.", "cause"),
    "written": ("streamer_output_written_frames", "Frames of a live source that an output wrote.", "output"),
    "skipped": ("streamer_output_skipped_frames", "Frames that an output skipped because it was too slow.", "output"),
    "clip": ("streamer_clips", "Clips of events that were written, or dropped because that failed.", "result"),
    "snapshot": ("streamer_snapshots", "Snapshots of events that were written, or dropped.", "result"),
}
_GAUGES: dict[str, tuple[str, str, str | None]] = {
    "queue_depth": ("streamer_queue_depth", "Items in a queue.", "queue"),
    "source_connected": ("streamer_source_connected", "1 while the source is connected.", None),
    "sink_connected": ("streamer_output_connected", "1 while an output is connected.", "output"),
    "clip_memory_bytes": ("streamer_clip_memory_bytes", "Memory of the packets that wait for clips.", None),
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


class Stream(NamedTuple):
    """One stream of the program.

    Attributes:
        source: its address or path.
        figures: of its current run.
    """

    source: str
    figures: Figures


class MetricsServer(WebPages):
    """Serves `/metrics` from entering to leaving.

    Args:
        address: `[host]:port` or a port; this machine only without a host. Port 0 lets the system choose.
        streams: returns the streams that there are now; called at each scrape, on the thread of the server.
        collectors: further metrics.
        routes: further pages at the address.

    Raises:
        ConfigError: the address is invalid.
        SinkUnavailable: on entering, when it cannot listen there.
    """

    def __init__(
        self,
        address: str,
        streams: Callable[[], Iterable[Stream]],
        *,
        collectors: Iterable[Collector] = (),
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        host, port = parse_address(address, "metrics address")
        registry = CollectorRegistry(auto_describe=False)
        for collector in (StreamCollector(streams), *collectors):
            registry.register(collector)
        ProcessCollector(registry=registry)

        pages = [web.get("/metrics", make_aiohttp_handler(registry)), *routes]
        super().__init__(f"the metrics address {address}", host, port, pages)


class StreamCollector(Collector):
    """Converts the figures of the streams to metrics at every scrape.

    The label `stream` is the name of the stream, or its source if it has none; `source` is without credentials and
    query.

    Args:
        streams: see `MetricsServer`.
    """

    def __init__(self, streams: Callable[[], Iterable[Stream]]) -> None:
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """All metrics. Called by the thread of the server."""
        streams = [(common_labels(stream.figures.stream, stream.source), stream.figures) for stream in self._streams()]
        yield from _frames([(common, figures.ledger.snapshot()) for common, figures in streams])
        for name, text, label, times in (
            ("streamer_frame_age_seconds", "Age of frames since their arrival.", "at", "ages"),
            ("streamer_stage_duration_seconds", "Processing time of one frame.", "stage", "stages"),
        ):
            histogram = HistogramMetricFamily(name, text, labels=labels(label))
            for common, figures in streams:
                for detail, one in getattr(figures, times).items():
                    histogram.add_metric([*common, SECRETS.hide(detail)], buckets=buckets(one), sum_value=one.total_s)
            yield histogram
        yield from _by_kind(CounterMetricFamily, _COUNTERS, [(common, figures.counts) for common, figures in streams])
        yield from _by_kind(GaugeMetricFamily, _GAUGES, [(common, figures.gauges) for common, figures in streams])
        yield from rule_metrics(labels(), [(common, one.counts, one.gauges) for common, one in streams])
        info = GaugeMetricFamily("streamer_build_info", "1, with the version as a label.", labels=["version"])
        info.add_metric([_version()], 1)
        yield info


def common_labels(stream: str, source: str) -> list[str]:
    """The values of the labels `stream` and `source`."""
    shown = readable(SECRETS.hide(redacted(source)))
    return [stream or shown, shown]


def labels(*names: str | None) -> list[str]:
    """The labels of a metric: `stream` and `source`, then these."""
    return ["stream", "source", *filter(None, names)]


def _frames(streams: Sequence[tuple[list[str], tuple[int, Mapping[tuple[FrameState, str], int]]]]) -> Iterator[Metric]:
    came_in = CounterMetricFamily("streamer_frames_entered", "Frames that were demuxed.", labels=labels())
    frames = CounterMetricFamily(
        "streamer_frames", "Frames by their final state and its cause.", labels=labels("state", "cause")
    )
    in_flight = GaugeMetricFamily("streamer_frames_in_flight", "Frames without a state yet.", labels=labels())
    for common, (entered, settled) in streams:
        came_in.add_metric(common, entered)
        for (state, cause), count in settled.items():
            frames.add_metric([*common, state, SECRETS.hide(cause)], count)
        in_flight.add_metric(common, entered - sum(settled.values()))
    yield from (came_in, frames, in_flight)


def _by_kind(
    family: type[CounterMetricFamily] | type[GaugeMetricFamily],
    kinds: Mapping[str, tuple[str, str, str | None]],
    streams: Sequence[tuple[list[str], Mapping[tuple[str, str], float]]],
) -> Iterator[Metric]:
    for kind, (name, text, label) in kinds.items():
        metric = family(name, text, labels=labels(label))
        for common, values in streams:
            for (kind_of, detail), value in values.items():
                if kind_of == kind:
                    metric.add_metric(common if label is None else [*common, SECRETS.hide(detail)], value)
        yield metric


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


def _version() -> str:
    try:
        return metadata.version("streamer-video")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "unknown"
