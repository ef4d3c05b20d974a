"""The frame ledger balances, and stage times are right within their bins."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.playout import RateMeter
from streamer.flow.stats import DurationHistogram, RunStats, TrackCounts
from streamer.observe.report import Report
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import DropCause, FrameState
from tracking.types import Tracks

TABLE = LabelTable(("Person", "Car", "Person"))


def frame_at(time_s: float, file: str = "") -> Frame:
    """A frame without content."""
    return Frame(av.VideoFrame(4, 4), round(1000 * time_s), round(1000 * time_s), Fraction(1, 1000), 0.0, file=file)


def tracks_of(shown: dict[int, int], age_s: float = 10.0) -> Tracks:
    """Tracks with these ids and labels."""
    n = len(shown)
    zero = np.zeros(n, np.float32)
    return Tracks(
        ids=np.array(list(shown), np.int64),
        boxes=np.zeros((n, 4), np.float32),
        scores=zero,
        labels=np.array(list(shown.values()), np.int32),
        velocities=np.zeros((n, 2), np.float32),
        age_s=np.full(n, age_s, np.float32),
        unseen_s=zero,
        origin=np.zeros(n, np.uint8),
        confirmed=np.ones(n, np.bool_),
    )


@given(st.lists(st.tuples(st.sampled_from(FrameState), st.integers(1, 5)), max_size=30))
def test_every_frame_is_settled_or_in_flight(events: list[tuple[FrameState, int]]) -> None:
    ledger = FrameLedger()
    for state, frames in events:
        ledger.enter(frames + 1)
        ledger.settle(state, "cause", frames)
    assert ledger.entered == ledger.in_flight + sum(ledger.count(state) for state in FrameState)
    assert ledger.in_flight == len(events)


def test_lost_frames_are_reported_with_their_cause() -> None:
    stats = RunStats()
    stats.ledger.enter(10)
    stats.ledger.settle(FrameState.DETECTED)
    stats.ledger.settle(FrameState.LOST, "detector error")
    stats.ledger.settle(FrameState.LOST, "detector hung")
    stats.ledger.settle(FrameState.DROPPED, DropCause.ERROR)
    frames = Report("clip", "detector", "complete", stats).to_dict()["frames"]
    assert frames["lost"] == {"detector error": 1, "detector hung": 1}
    assert frames["entered"] == 10


def test_a_frame_cannot_be_settled_twice() -> None:
    ledger = FrameLedger()
    ledger.enter()
    ledger.settle(FrameState.DETECTED)
    with pytest.raises(ValueError, match="in flight"):
        ledger.settle(FrameState.DROPPED, "twice")


@given(st.lists(st.floats(1e-6, 100), min_size=1, max_size=200), st.sampled_from([50, 95, 100]))
def test_percentiles_are_exact_to_two_and_a_half_percent(durations_s: list[float], percent: int) -> None:
    times = DurationHistogram()
    for duration_s in durations_s:
        times.add(duration_s)
    exact = sorted(durations_s)[math.ceil(len(durations_s) * percent / 100) - 1]
    assert times.percentile_s(percent) == pytest.approx(exact, rel=0.025)
    assert times.total_s == pytest.approx(sum(durations_s))


def test_a_copy_of_a_histogram_does_not_change() -> None:
    times = DurationHistogram()
    times.add(0.1)
    copy = times.copy()
    times.add(10.0)
    assert copy.count == 1
    assert copy.percentile_s(100) == pytest.approx(0.1, rel=0.025)


def test_the_bottleneck_is_the_busiest_stage_for_its_threads() -> None:
    stats = RunStats()
    stats.add_time("detect", 3.0)
    stats.add_time("encode", 2.0)
    assert stats.bottleneck == "detect"
    stats.threads["detect"] = 2
    assert stats.bottleneck == "encode"


@given(
    st.lists(
        # Ids from a moving window, in any order; older ids never return.
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=6),
        max_size=80,
    )
)
def test_tracks_are_counted_as_if_all_were_remembered(frames: list[list[tuple[int, int]]]) -> None:
    # In its window of 10, at most 19 other tracks are shown besides a track.
    counts, last_labels = TrackCounts(remembered=20), dict[int, str]()
    for number, frame in enumerate(frames):
        shown = {1 + number + offset: label for offset, label in frame}
        counts.add(tracks_of(shown), TABLE, frame_at(number))
        last_labels |= {track_id: TABLE.name(label) for track_id, label in shown.items()}
    assert counts.by_class == Counter(last_labels.values())


def test_a_track_counts_once_it_is_a_second_old() -> None:
    counts = TrackCounts()
    counts.add(tracks_of({1: 1, 2: 1}, age_s=0.96), TABLE, frame_at(0))
    counts.add(tracks_of({1: 1}, age_s=1), TABLE, frame_at(0.04))
    counts.add(tracks_of({3: 0}, age_s=0.5), TABLE, frame_at(9))
    assert counts.by_class == {"Car": 1}
    assert counts.shorter == 2


@pytest.mark.parametrize(("last_s", "file"), [(1.9, ""), (9, "0009.jpg")], ids=["a short video", "pictures"])
def test_all_tracks_of_short_videos_and_pictures_count(last_s: float, file: str) -> None:
    counts = TrackCounts()
    counts.add(tracks_of({1: 1, 2: 0}, age_s=0), TABLE, frame_at(0, file))
    counts.add(tracks_of({3: 1}, age_s=0), TABLE, frame_at(last_s, file))
    assert counts.by_class == {"Car": 2, "Person": 1}


def test_stats_show_frames_tracks_and_time() -> None:
    stats = RunStats()
    stats.tracks.add(tracks_of({1: 1}), TABLE, frame_at(0))
    stats.shown, stats.wall_s = 250, 3.14
    assert repr(stats) == "RunStats(shown=250, tracks={'Car': 1}, wall_s=3.1)"


def test_counting_tracks_takes_bounded_memory() -> None:
    counts = TrackCounts(remembered=100)
    for first in range(1, 20_001, 10):
        counts.add(tracks_of({track_id: track_id % 2 for track_id in range(first, first + 15)}), TABLE, frame_at(0))
    assert len(counts) == 100
    assert sum(counts.by_class.values()) == 20_005


def test_a_frame_with_more_tracks_than_are_remembered_counts_each_once() -> None:
    counts = TrackCounts(remembered=10)
    for _ in range(5):
        counts.add(tracks_of(dict.fromkeys(range(1, 51), 1)), TABLE, frame_at(0))
    assert counts.by_class == {"Car": 50}


def test_a_percentile_of_an_empty_histogram_is_zero() -> None:
    assert DurationHistogram().percentile_s(50) == 0
    assert DurationHistogram().percentile_s(100) == 0


def test_a_percentile_is_the_duration_of_its_rank() -> None:
    times = DurationHistogram()
    for duration_s in (0.001, 0.01, 0.1, 1.0):
        times.add(duration_s)
    found = [times.percentile_s(percent) for percent in (25, 26, 50, 75, 76, 100)]
    assert found == pytest.approx([0.001, 0.01, 0.01, 0.1, 1.0, 1.0], rel=0.025)


def test_a_duration_of_zero_is_counted() -> None:
    times = DurationHistogram()
    times.add(0.0)
    assert (times.count, times.total_s) == (1, 0)
    assert 0 < times.percentile_s(50) < 1e-6


@pytest.mark.parametrize("weight", [0.05, 0.3, 1.0])
def test_a_steady_rate_is_exact_from_the_second_event_on(weight: float) -> None:
    rate = RateMeter(weight)
    assert rate.tick(1000.0) == 0
    assert [rate.tick(1000.0 + 0.4 * k) for k in range(1, 9)] == pytest.approx([2.5] * 8)


def test_a_rate_follows_a_change_by_its_weight() -> None:
    """The mean interval moves a quarter of the way to each new one: from 0.1 s to 0.5 s via 0.2, 0.275, 0.33125."""
    rate = RateMeter(0.25)
    for now_s in (70.0, 70.1, 70.2):
        rate_fps = rate.tick(now_s)
    assert rate_fps == pytest.approx(10)
    assert [rate.tick(now_s) for now_s in (70.7, 71.2, 71.7)] == pytest.approx([1 / 0.2, 1 / 0.275, 1 / 0.33125])


def test_a_rate_follows_about_the_last_twenty_intervals_by_default() -> None:
    rate = RateMeter()
    for k in range(50):
        rate.tick(5.0 + 0.1 * k)
    slower = [rate.tick(9.9 + 0.2 * k) for k in range(1, 101)]
    assert slower[0] == pytest.approx(10, rel=0.1)
    assert slower[19] == pytest.approx(6, rel=0.1)
    assert slower[-1] == pytest.approx(5, rel=0.01)


def test_two_events_at_the_same_time_are_no_error() -> None:
    rate = RateMeter()
    assert [rate.tick(now_s) for now_s in (3.0, 3.0, 3.5)] == [0, 0, 2.0]


def test_settling_the_rest_leaves_nothing_in_flight() -> None:
    ledger = FrameLedger()
    ledger.enter(9)
    ledger.settle(FrameState.DETECTED, frames=4)
    ledger.settle_rest(FrameState.DROPPED, "shutdown")
    assert ledger.snapshot() == (9, {("detected", ""): 4, ("dropped", "shutdown"): 5})
    ledger.settle_rest(FrameState.DROPPED, "end")
    assert ledger.causes(FrameState.DROPPED) == {"shutdown": 5}


def test_events_are_counted_and_values_are_set() -> None:
    stats = RunStats()
    assert stats.flagged_corrupt == 0
    stats.count("flagged corrupt", "", 3)
    stats.count("flagged corrupt", "")
    stats.count("reconnect", "stalled", 0)
    assert stats.flagged_corrupt == 4
    assert stats.counts == {("flagged corrupt", ""): 4}
    stats.gauge("sink_connected", "stream", 1)
    stats.gauge("sink_connected", "stream", 0)
    assert stats.gauges == {("sink_connected", "stream"): 0}


def test_throughput_is_shown_frames_by_wall_time() -> None:
    stats = RunStats()
    assert stats.throughput_fps == 0
    assert stats.bottleneck is None
    stats.shown, stats.wall_s = 90, 4.0
    assert stats.throughput_fps == 22.5


def test_stages_and_ages_are_separate() -> None:
    stats = RunStats()
    stats.add_time("shown", 0.5)
    stats.add_age("shown", 0.1)
    stats.add_age("detector", 0.2)
    assert {name: times.total_s for name, times in stats.stages.items()} == {"shown": 0.5}
    assert {name: times.total_s for name, times in stats.ages.items()} == {"shown": 0.1, "detector": 0.2}


def test_a_track_that_is_shown_again_is_remembered_longer() -> None:
    counts = TrackCounts(remembered=3)
    for track_id in (1, 2, 3, 1, 4, 1):
        counts.add(tracks_of({track_id: 1}), TABLE, frame_at(0))
    assert counts.by_class == {"Car": 4}
    counts.add(tracks_of({2: 1}), TABLE, frame_at(0))
    assert counts.by_class == {"Car": 5}, "it was forgotten, and is counted again"
