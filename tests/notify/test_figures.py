"""The figures of targets for Prometheus and for the health."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from streamer.config.loading import load_settings
from streamer.events.service import event_observers
from streamer.flow.stats import RunStats
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


def test_the_metrics_of_a_run_have_its_targets(tmp_path: Path) -> None:
    target = {"type": "webhook", "url": "http://127.0.0.1/"}
    settings = load_settings(None, options={"store.folder": str(tmp_path), "notify.targets.ops": target})
    registry = CollectorRegistry()
    with ExitStack() as stack:
        for observer in event_observers("clip.mp4", settings, RunStats(), stack, None):
            for collector in observer.collectors():
                registry.register(collector)
        assert 'streamer_notify_waiting{target="ops",type="webhook"} 0.0' in generate_latest(registry).decode()
