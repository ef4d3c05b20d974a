"""A file that plays like a camera: in real time, and frames that are not taken are counted."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceUnavailable
from streamer.sources.file.file import FileSource
from streamer.sources.live import paced
from streamer.sources.live.connection import POLL_S
from streamer.sources.live.connection_thread import LATE
from streamer.sources.live.live import LiveSource
from streamer.sources.live.paced import Pace, PacedConnector
from tests import clips
from tests.sources.live.live_script import timing


class Clock:
    """A monotonic clock that advances only during waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waits_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, timeout_s: float) -> bool:
        self.waits_s.append(timeout_s)
        self.now_s += timeout_s
        return False

    def go_at(self, pace: Pace, time_s: float) -> float:
        """When a frame with a media time is released, in seconds after the clock was created."""
        for _ in pace.until(time_s):
            pass
        return self.now_s - 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(paced, "time", made)
    monkeypatch.setattr(paced, "threading", SimpleNamespace(Event=lambda: made))
    return made


def test_the_first_frame_is_due_at_once_and_the_others_at_their_times(clock: Clock) -> None:
    pace = Pace(lambda: True)
    went_s = [clock.go_at(pace, 7.0 + offset_s) for offset_s in (0.0, 0.04, 0.1, 3.0)]
    assert went_s == pytest.approx([0.0, 0.04, 0.1, 3.0])
    assert max(clock.waits_s) <= POLL_S  # it checks regularly whether it is cancelled


def test_delayed_frames_catch_up(clock: Clock) -> None:
    pace = Pace(lambda: True)
    clock.go_at(pace, 0.0)
    clock.now_s += 1.0
    assert [clock.go_at(pace, time_s) for time_s in (0.5, 0.9, 1.5)] == pytest.approx([1.0, 1.0, 1.5])


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_the_pace_continues_after_a_jump_of_the_time_stamps(clock: Clock, jump_s: float) -> None:
    pace = Pace(lambda: True)
    times_s = (0.0, 1.0, 1.0 + jump_s, 1.5 + jump_s)
    assert [clock.go_at(pace, time_s) for time_s in times_s] == pytest.approx([0.0, 1.0, 1.0, 1.5])


def test_a_long_delay_is_not_followed_by_a_burst(clock: Clock) -> None:
    pace = Pace(lambda: True)
    clock.go_at(pace, 0.0)
    clock.now_s += 600.0
    assert clock.go_at(pace, 1.0) == pytest.approx(600.0)
    assert clock.go_at(pace, 2.0) == pytest.approx(601.0)


def test_a_cancelled_wait_ends(clock: Clock) -> None:
    pace = Pace(lambda: clock.now_s < 1000.5)
    clock.go_at(pace, 0.0)
    assert clock.go_at(pace, 50.0) == pytest.approx(0.5, abs=POLL_S)


@given(steps_s=st.lists(st.floats(0, 59), max_size=30), delays_s=st.lists(st.floats(0, 1.9), min_size=31, max_size=31))
def test_no_frame_is_early_or_waits_needlessly(steps_s: list[float], delays_s: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(paced, "time", clock)
        patch.setattr(paced, "threading", SimpleNamespace(Event=lambda: clock))
        pace, time_s = Pace(lambda: True), 0.0
        clock.go_at(pace, 0.0)
        for step_s, delay_s in zip(steps_s, delays_s, strict=False):
            clock.now_s += delay_s  # decoding it took so long
            time_s += step_s
            ready_s = clock.now_s - 1000.0
            assert clock.go_at(pace, time_s) == pytest.approx(max(ready_s, time_s), abs=1e-6)


def played(path: Path) -> PacedConnector:
    return PacedConnector(lambda: FileSource(path), str(path))


def test_a_paced_file_keeps_its_own_times(tmp_path: Path) -> None:
    clip = clips.write_video(tmp_path / "clip.mp4", frames=6, rate=50)
    with LiveSource(played(clip)) as source:
        frames = list(source)
        info = source.info
    assert [clips.read_number(frame.picture) for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx([k / 50 for k in range(6)])
    assert all(b.captured_s > a.captured_s for a, b in pairwise(frames))
    assert (info.live, info.path, info.frame_count) == (True, None, None)
    assert info.average_fps == 50


def test_long_frame_durations_of_a_file_are_no_stall(tmp_path: Path) -> None:
    slides = clips.write_video(tmp_path / "slides.mp4", pts=[0, 5120, 10240], rate=Fraction(5, 2))
    with LiveSource(played(slides), timing(0.05)) as source:
        assert [frame.segment for frame in source] == [0, 0, 0]


def test_every_frame_of_a_paced_file_is_read_or_counted(tmp_path: Path) -> None:
    # At 10,000 frames per second some are dropped.
    clip = clips.write_video(tmp_path / "clip.mp4", frames=200, rate=10_000, time_base=Fraction(1, 10_000))
    with LiveSource(played(clip)) as source:
        frames = list(source)
        damage = source.take_damage()
    assert {(one.cause, one.state) for one in damage} <= {(LATE, "dropped")}
    assert len(frames) + sum(one.frames for one in damage) == 200
    numbers = [clips.read_number(frame.picture) for frame in frames]
    assert numbers == sorted(set(numbers))


def test_damage_in_a_paced_file_is_reported(tmp_path: Path) -> None:
    whole = clips.write_video(tmp_path / "whole.mkv", frames=20, rate=500)
    cut = clips.truncate(whole, tmp_path / "cut.mkv", 0.6)
    with LiveSource(played(cut)) as source:
        frames = list(source)
        damage = {one.cause: one.frames for one in source.take_damage()}
    assert 0 < len(frames) < 20
    assert damage["truncated"] > 0


def test_a_missing_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"none\.mp4"):
        LiveSource(played(tmp_path / "none.mp4")).__enter__()
