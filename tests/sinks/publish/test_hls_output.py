"""Live HLS outputs follow RFC 8216, whatever the timing of the source."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streamer.interfaces import Scene
from streamer.sinks.publish.hls import target_duration_s
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.sinks.making import stream_sink
from tests.sinks.muxing.claps import Feed, click_track
from tests.sinks.publish.hls_reader import reading
from tests.sinks.publish.test_stream_audio import publishing, write
from tests.sinks.scenes import LABELS, info, tracks

SIZE = (160, 120)
CLOCK = Fraction(1, 1000)


def shown(time_s: float, size: tuple[int, int] = SIZE) -> Scene:
    """A scene at a media time."""
    picture = av.VideoFrame(*size, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes([round(time_s * 40) % 200 + 20]) * plane.buffer_size)
    ticks = round(time_s / CLOCK)
    frame = Frame(picture=picture, index=ticks, pts=ticks, time_base=CLOCK, captured_s=time.monotonic())
    return Scene(frame, tracks(0), LABELS, FrameState.DETECTED)


def steady(fps: float, lasts_s: float, begin_s: float = 0.0) -> list[float]:
    """Times of frames at a steady rate."""
    return [begin_s + k / fps for k in range(round(fps * lasts_s))]


def jittered(times_s: Sequence[float]) -> list[float]:
    """The times with every other one late by a fifth of the step."""
    step_s = times_s[1] - times_s[0]
    return [one + step_s / 5 * (k % 2) for k, one in enumerate(times_s)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("announced_fps", "times_s", "periods"),
    [
        pytest.param(Fraction(25), steady(25, 14), 1, id="25"),
        pytest.param(Fraction(30000, 1001), steady(29.97, 14), 1, id="29.97"),
        pytest.param(Fraction(2), steady(2, 30), 1, id="2"),
        pytest.param(Fraction(2), jittered(steady(2, 30)), 1, id="2, not exactly"),
        pytest.param(Fraction(1), jittered(steady(1, 30)), 1, id="1, not exactly"),
        pytest.param(Fraction(1, 5), steady(0.2, 100), 1, id="0.2"),
        pytest.param(None, steady(0.2, 100), 1, id="0.2, unknown"),
        pytest.param(None, steady(25, 14), 1, id="25, unknown"),
        pytest.param(Fraction(25), steady(0.2, 100), 1, id="0.2, announced as 25"),
        pytest.param(Fraction(25), [*steady(25, 5), *steady(25, 5, 65.0)], 2, id="a minute without frames"),
        pytest.param(
            Fraction(25), [*steady(25, 3.2), *steady(2, 4, 3.2), *steady(25, 3, 7.2)], 1, id="slower for a while"
        ),
    ],
)
def test_a_playlist_is_valid_at_every_frame_rate(
    tmp_path: Path, announced_fps: Fraction | None, times_s: list[float], periods: int
) -> None:
    playlist = tmp_path / "live.m3u8"
    with reading(playlist) as reader, stream_sink(str(playlist), info(size=SIZE, average_fps=announced_fps)) as sink:
        for time_s, after_s in zip(times_s, [*times_s[1:], times_s[-1]], strict=True):
            sink.write(shown(time_s))
            time.sleep(min(max(0.12 * (after_s - time_s), 0.005), 0.2))  # so that a poll sees every segment
    reader.check()
    assert len(reader.periods) == periods
    assert reader.ended
    listed_s = sum(one.duration_s for one in reader.segments.values())
    if periods == 1:
        assert listed_s == pytest.approx(times_s[-1] - times_s[0], abs=reader.target_s)


@pytest.mark.slow
def test_a_pause_closes_the_segment_and_begins_a_period(tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    with reading(playlist) as reader, stream_sink(str(playlist), info(size=SIZE)) as sink:
        for time_s in steady(25, 3.4):
            sink.write(shown(time_s))
            time.sleep(0.005)
        until_s = time.monotonic() + 20
        while sum(one.duration_s for one in reader.segments.values()) < 3.3 and time.monotonic() < until_s:
            time.sleep(0.05)  # the segment is listed although no frame follows
        assert sum(one.duration_s for one in reader.segments.values()) == pytest.approx(3.4, abs=0.05)
        for time_s in steady(25, 3, 3.44):  # delayed frames: their times continue
            sink.write(shown(time_s))
            time.sleep(0.005)
    reader.check()
    assert len(reader.periods) == 2


@pytest.mark.slow
def test_another_size_begins_a_period(tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    with reading(playlist) as reader, stream_sink(str(playlist), info(size=SIZE), on_change="reopen") as sink:
        for time_s in steady(25, 10):
            sink.write(shown(time_s, SIZE if time_s < 5 else (320, 240)))
            time.sleep(0.005)
    reader.check()
    assert len(reader.periods) == 2
    assert sum(one.duration_s for one in reader.segments.values()) == pytest.approx(10, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "rate_hz"), [("aac", 48000), ("pcm_mulaw", 8000)])
def test_audio_is_continuous_over_segments(tmp_path: Path, codec: str, rate_hz: int) -> None:
    feed = Feed(click_track(codec, 9.0, rate_hz=rate_hz), late_s=0.1)
    feed.passthrough.begin()
    playlist = tmp_path / "live.m3u8"
    with reading(playlist) as reader, publishing(str(playlist), feed) as sink:
        for k in range(0, 200, 5):
            write(sink, feed, k, 5)
            time.sleep(0.03)
    reader.check()
    times_s: list[float] = []
    for number in sorted(reader.segments):
        with av.open(io.BytesIO(reader.segments[number].content), "r", format="mpegts") as container:
            (stream,) = container.streams.audio
            assert stream.time_base is not None
            times_s += [float((one.pts or 0) * stream.time_base) for one in container.demux(stream) if one.size]
    steps_s = [after - before for before, after in pairwise(times_s)]
    assert max(steps_s) < 0.05
    assert min(steps_s) > 0


RUN = """
import sys, time
from pathlib import Path
from tests.sinks.making import stream_sink
from tests.sinks.scenes import info
from tests.sinks.publish.test_hls_output import SIZE, shown, steady
with stream_sink(sys.argv[1], info(size=SIZE)) as sink:
    for time_s in steady(25, 400):
        sink.write(shown(time_s))
        time.sleep(0.01)
        print(sink.written, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL])
def test_the_playlist_of_a_killed_run_is_continued(tmp_path: Path, number: int) -> None:
    playlist = tmp_path / "live.m3u8"
    with reading(playlist) as reader:
        command = [sys.executable, "-c", RUN, str(playlist)]
        killed = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
        assert killed.stdout is not None
        for line in killed.stdout:
            if int(line) == 200:
                break
        os.kill(killed.pid, number)
        killed.wait()
        with stream_sink(str(playlist), info(size=SIZE)) as sink:
            for time_s in steady(25, 8):
                sink.write(shown(time_s))
                time.sleep(0.005)
    reader.check()
    assert len(reader.periods) == 2


@pytest.mark.slow
def test_numbers_continue_after_an_ended_playlist(tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    seen = []
    for _ in range(2):
        with reading(playlist) as reader, stream_sink(str(playlist), info(size=SIZE)) as sink:
            for time_s in steady(25, 5):
                sink.write(shown(time_s))
                time.sleep(0.005)
        reader.check()
        assert reader.ended
        seen.append(reader)
    assert min(seen[1].segments) == max(seen[0].segments) + 1
    assert min(seen[1].periods) > max(seen[0].periods)


@pytest.mark.parametrize(
    ("average_fps", "target_s"),
    [
        (None, 2),
        (Fraction(25), 1),
        (Fraction(60), 1),
        (Fraction(5), 1),
        (Fraction(2), 2),
        (Fraction(1), 2),
        (Fraction(1, 5), 6),
    ],
)
def test_the_target_duration_follows_the_frame_rate(average_fps: Fraction | None, target_s: int) -> None:
    assert target_duration_s(average_fps) == target_s
