"""The source of a browser's webcam: the newest frame only."""

from __future__ import annotations

import threading
import time

import av
import pytest

from streamer.browser_camera.source import BrowserSource
from streamer.errors import Interrupted, SourceUnavailable
from streamer.values.frame import Frame
from streamer.values.states import DropCause
from tests.pipeline.parts import DEADLINE_S

INTERVAL = 6000


def put(source: BrowserSource, number: int, size: tuple[int, int] = (64, 48), origin: int = 0) -> None:
    source.put(av.VideoFrame(*size, "yuv420p"), number * INTERVAL, time.monotonic(), origin)


def test_newest_frame_replaces_one_that_was_not_taken() -> None:
    source = BrowserSource("browser")
    for number in range(3):
        put(source, number)
    with source:
        frame = next(iter(source))
    assert (frame.index, frame.pts) == (0, 2 * INTERVAL)
    (damage,) = source.take_damage()
    assert (damage.cause, damage.frames) == (DropCause.NOT_TAKEN, 2)
    assert source.take_damage() == []


def test_frame_keeps_the_time_stamp_of_the_browser() -> None:
    source = BrowserSource("browser")
    put(source, 2, origin=(1 << 32) - INTERVAL)
    with source:
        assert source.rtp(next(iter(source))) == INTERVAL


def test_rotated_phone_begins_a_segment() -> None:
    source, frames = BrowserSource("browser"), list[Frame]()
    put(source, 0)
    with source:
        for number, size in enumerate([(64, 48), (48, 64), (48, 64)], 1):
            frames.append(next(source_frames := iter(source))) if not frames else frames.append(next(source_frames))
            put(source, number, size)
        frames.append(next(source_frames))
    assert [frame.segment for frame in frames] == [0, 0, 1, 1]


def test_stop_wakes_the_wait_for_the_first_frame() -> None:
    source, raised = BrowserSource("browser"), list[BaseException]()

    def enter() -> None:
        try:
            source.__enter__()
        except Interrupted as error:
            raised.append(error)

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    source.stop()
    thread.join(DEADLINE_S)
    assert raised


def test_browser_that_leaves_before_its_first_frame_is_an_error() -> None:
    source = BrowserSource("browser")
    source.end()
    with pytest.raises(SourceUnavailable, match="before its first picture"):
        source.__enter__()


def test_last_frame_is_delivered_before_the_end() -> None:
    source = BrowserSource("browser")
    put(source, 0)
    source.end()
    with source:
        assert [frame.pts for frame in source] == [0]
