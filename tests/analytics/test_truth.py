"""Counts on real videos, against what was counted by eye (`benchmarks/crossings/truth`)."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from benchmarks.crossings.__main__ import is_off
from benchmarks.crossings.counting import PACES_FPS, count, recorded_detector
from benchmarks.crossings.truth_files import Truth, read_all
from streamer.detectors.recorded import RecordedDetector

DATA = Path(os.environ.get("STREAMER_TEST_DATA", "test-data"))
TRUTHS = {truth.name: truth for truth in read_all(DATA)}

pytestmark = [
    pytest.mark.elsewhere,
    pytest.mark.skipif(not TRUTHS, reason="set STREAMER_TEST_DATA to a folder with clips/ and tracking/<sequence>/"),
    pytest.mark.usefixtures("nanodet_weights", "starter_weights"),
    pytest.mark.timeout(300),
]


@cache
def detector_of(truth: Truth) -> RecordedDetector:
    return recorded_detector(truth, truth.detectors[0], DATA)


@pytest.mark.parametrize("pace_fps", PACES_FPS)
@pytest.mark.parametrize("name", TRUTHS)
def test_counts_are_within_one_at_every_pace(name: str, pace_fps: int) -> None:
    truth = TRUTHS[name]
    counted = count(truth, detector_of(truth), DATA, pace_fps)
    for line in truth.lines:
        assert not is_off(counted.lines[line.name], line.counts), f"{line.name}: {counted.lines[line.name]}"
    for zone in truth.zones:
        assert len(counted.zones[zone.name]) == len(zone.stays)
