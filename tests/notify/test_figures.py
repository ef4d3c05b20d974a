"""The figures of targets for Prometheus and for the health."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, generate_latest

from streamer.notify.figures import TargetCollector, health_of
from streamer.notify.target_worker import TargetStatus

WORKS = TargetStatus("ops", "webhook", delivered=12, failed_attempts=3, refused=1)
FAILS = TargetStatus("mail", "apprise", expired=2, error="no route", failing_since_s=time.monotonic())


def test_prometheus_gets_the_figures_of_each_target() -> None:
    registry = CollectorRegistry()
    registry.register(TargetCollector(lambda: [(WORKS, 0), (FAILS, 7)]))
    lines = generate_latest(registry).decode().splitlines()
    for expected in (
        'streamer_notify_delivered_total{target="ops",type="webhook"} 12.0',
        'streamer_notify_failed_attempts_total{target="ops",type="webhook"} 3.0',
        'streamer_notify_dropped_total{cause="refused",target="ops",type="webhook"} 1.0',
        'streamer_notify_waiting{target="mail",type="apprise"} 7.0',
        'streamer_notify_failing{target="mail",type="apprise"} 1.0',
        'streamer_notify_failing{target="ops",type="webhook"} 0.0',
    ):
        assert expected in lines


def test_the_health_says_why_a_target_fails() -> None:
    assert health_of(WORKS, 0) == {"status": "ok", "type": "webhook", "waiting": 0, "delivered": 12, "dropped": 1}
    failing = health_of(FAILS, 7)
    assert (failing["status"], failing["waiting"], failing["dropped"], failing["reason"]) == (
        "failing",
        7,
        2,
        "no route",
    )
