"""Rates of cameras and detectors, from the differences of their figures."""

from __future__ import annotations

import pytest

from streamer.flow.stats import RunStats
from streamer.serve.rates import WINDOW_S, SiteRates, of_detectors
from streamer.serve.status import DetectorStatus
from tests.serve.statuses import running, show, waiting


def test_rates_are_those_since_the_last_look() -> None:
    rates, camera = SiteRates(), running("front")
    assert rates.update([camera], 100.0) == {}
    show(camera.stats, entered=32, shown=30, detected=8, age_s=0.06, detect_s=0.05)
    (found,) = rates.update([camera], 102.0).values()
    assert (found.entered_fps, found.shown_fps, found.detected_fps) == (16, 15, 4)
    assert found.age_s == pytest.approx(0.06)
    assert found.detect_s == pytest.approx(0.4)


def test_only_the_window_counts() -> None:
    rates, camera = SiteRates(), running("front")
    for second in range(20):
        found = rates.update([camera], float(second))
        if second < 12:
            show(camera.stats, entered=10, shown=10, detected=0)
    assert found["front"].shown_fps == 0
    assert found["front"].age_s is None
    assert found["front"].span_s == WINDOW_S


def test_a_camera_that_began_again_starts_from_zero() -> None:
    rates = SiteRates()
    rates.update([running("front")], 0.0)
    again = running("front", stats=RunStats("front"))
    assert rates.update([again], 1.0) == {}
    show(again.stats, entered=5, shown=5, detected=1)
    assert rates.update([again], 2.0)["front"].shown_fps == 5


def test_a_camera_that_was_removed_and_added_has_no_old_rates() -> None:
    rates, camera = SiteRates(), running("front")
    rates.update([camera], 0.0)
    rates.update([], 1.0)
    assert rates.update([camera], 2.0) == {}


def test_a_detector_has_the_sum_of_its_cameras() -> None:
    record = DetectorStatus("record")
    cameras = [running("front"), running("yard"), running("gate", detector=record), waiting("away")]
    rates = SiteRates()
    rates.update(cameras, 0.0)
    for camera in cameras[:2]:
        show(camera.stats, entered=20, shown=20, detected=20, detect_s=0.04)
    show(cameras[2].stats, entered=20, shown=20, detected=1, detect_s=1.5)
    (starter, both), (own, one) = of_detectors(cameras, rates.update(cameras, 2.0))
    assert (starter.name, both.detected_fps) == ("starter", 20)
    assert both.detect_s == pytest.approx(0.04)
    assert both.busy == pytest.approx(0.4)  # 1.6 s of 2 s, by two workers
    assert (own, one.detected_fps) == (record, 0.5)
    assert one.busy == pytest.approx(0.75)


def test_a_detector_without_detections_is_idle() -> None:
    cameras, rates = [running("front")], SiteRates()
    rates.update(cameras, 0.0)
    ((_, idle),) = of_detectors(cameras, rates.update(cameras, 1.0))
    assert (idle.detected_fps, idle.detect_s, idle.busy) == (0, None, 0)
