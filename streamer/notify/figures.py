"""The figures of the targets: for Prometheus, and for the health of the program. The web server's thread reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streamer.notify.target_worker import TargetStatus

Statuses = Callable[[], Sequence[tuple[TargetStatus, int]]]
"""Each target, with the number of its messages that wait: `Notifier.statuses`. Any thread."""
_LABELS = ("target", "type")


class TargetCollector(Collector):
    """Converts the figures of the targets to metrics at every scrape.

    Args:
        statuses: asked at each scrape.
    """

    def __init__(self, statuses: Statuses) -> None:
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        """All metrics. Called by the thread of the server."""
        waiting = GaugeMetricFamily("streamer_notify_waiting", "Messages that wait for the target.", labels=_LABELS)
        failing = GaugeMetricFamily("streamer_notify_failing", "1 while the target cannot be reached.", labels=_LABELS)
        delivered = CounterMetricFamily(
            "streamer_notify_delivered", "Messages that the target has acknowledged.", labels=_LABELS
        )
        failed = CounterMetricFamily("streamer_notify_failed_attempts", "Attempts that failed.", labels=_LABELS)
        dropped = CounterMetricFamily(
            "streamer_notify_dropped",
            "Messages that were dropped: refused by the receiver, or expired.",
            labels=(*_LABELS, "cause"),
        )
        for status, count in self._statuses():
            names = [status.name, status.type]
            waiting.add_metric(names, count)
            failing.add_metric(names, status.failing_since_s is not None)
            delivered.add_metric(names, status.delivered)
            failed.add_metric(names, status.failed_attempts)
            dropped.add_metric([*names, "refused"], status.refused)
            dropped.add_metric([*names, "expired"], status.expired)
        yield from (waiting, failing, delivered, failed, dropped)


def health_of(status: TargetStatus, waiting: int) -> dict[str, Any]:
    """The health of a target, for JSON; durations in seconds. `reason` says why it is failing.

    Args:
        status: of the target.
        waiting: messages that wait for it.
    """
    values: dict[str, Any] = {
        "status": "ok" if status.failing_since_s is None else "failing",
        "type": status.type,
        "waiting": waiting,
        "delivered": status.delivered,
        "dropped": status.refused + status.expired,
    }
    if status.failing_since_s is None:
        return values
    return values | {"failing_s": round(time.monotonic() - status.failing_since_s, 1), "reason": status.error}
