"""Cameras with low frame rates: a frame every half second or ten seconds is no stall, and stopping does not wait."""

from __future__ import annotations

import itertools
import logging
import threading

import pytest

from streamer.config.source import SourceSettings, Transport
from streamer.flow.stats import RunStats
from streamer.sources.live.live import LiveSource
from streamer.sources.live.stall import StallLimit
from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera
from tests.faults.camera.settings import Codec
from tests.faults.counter import read_number
from tests.pipeline.parts import DEADLINE_S


def source(camera: Camera, transport: Transport, stats: RunStats) -> LiveSource:
    settings = SourceSettings(stall_s=DEADLINE_S, retry_for_s=0.0)
    return LiveSource(NetworkConnector(camera.url, SourceSettings(transport=transport)), settings, stats)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_a_slow_camera_keeps_one_connection_and_loses_nothing(codec: Codec, transport: Transport) -> None:
    stats = RunStats()
    with (
        Camera(codec=codec, fps=1.5, key_frame_every_s=2.0, key_frame_on_play=True) as camera,
        source(camera, transport, stats) as opened,
    ):
        frames = list(itertools.islice(opened, 6))
    read = [read_number(frame.picture) for frame in frames]
    assert read == list(range(read[0] or 0, (read[0] or 0) + 6))
    assert {(frame.segment, frame.damage) for frame in frames} == {(0, "")}
    assert stats.counts == {}


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_stopping_does_not_wait_for_the_next_frame(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    with Camera(fps=25, key_frame_on_play=True) as camera:
        opened = source(camera, transport, RunStats())
        with caplog.at_level(logging.INFO), opened:
            frames = iter(opened)
            next(frames)
            camera.silence()
            waiter = threading.Thread(target=lambda: list(frames), daemon=True)
            waiter.start()
            opened.stop()
            waiter.join(DEADLINE_S)
            assert not waiter.is_alive()
        assert not [line for line in caplog.messages if "left behind" in line]
        assert camera.playing() == 0, "the camera was not told that the session ends"


def test_the_limit_follows_the_longest_recent_gap() -> None:
    limit = StallLimit(5.0)
    assert limit.limit_s == 35.0  # nothing is known yet: a camera may have one picture in 30 s
    for number in range(3):
        limit.add_frame(number * 0.04)
    assert limit.limit_s == 5.0
    limit.add_frame(20.0)
    assert limit.limit_s == pytest.approx(3 * 19.92)
    for number in range(64):
        limit.add_frame(20.0 + number * 0.04)
    assert limit.limit_s == 5.0


def test_bursts_do_not_shorten_the_limit_below_the_pauses_between_them() -> None:
    limit = StallLimit(1.0)
    for number in range(100):
        limit.add_frame(number // 25 * 1.0 + number % 25 * 1e-3)
    assert limit.limit_s == pytest.approx(3 * 0.976)


def test_the_time_between_connections_is_no_gap() -> None:
    limit = StallLimit(5.0)
    limit.add_frame(0.0)
    limit.add_frame(0.04)
    limit.begin()
    limit.add_frame(600.0)
    limit.add_frame(600.04)
    assert limit.limit_s == 5.0


def test_inputs_in_segments_have_a_longer_limit() -> None:
    limit = StallLimit(5.0, 40.0)
    assert limit.limit_s == 40.0
    limit.add_frame(0.0)
    limit.add_frame(0.1)
    assert limit.limit_s == 40.0
