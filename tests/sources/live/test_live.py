"""A live source survives every failure of its camera, counts the losses, and can be stopped at any time."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import SourceLost, SourceUnavailable
from streamer.flow.observers import RunObserver
from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.stats import RunStats
from streamer.interfaces import Damage, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.sources.live.audio import LiveAudio
from streamer.sources.live.connection import LiveFrame
from streamer.sources.live.connection_thread import LATE, ConnectionThread, Ended, ItemQueue
from streamer.sources.live.live import LiveSource
from streamer.values.frame import Frame
from tests.pipeline.parts import DEADLINE_S, Boom
from tests.sources.live.live_script import NAME, TICKS, Act, Item, ScriptedConnector, picture, pictures, timing

# Nothing here hangs but what is meant to: this is only how long it takes to be noticed.
SOON_STALLED_S = 0.5
AT_ONCE = timing(DEADLINE_S, 0.001, 0.001)
STALLS = timing(SOON_STALLED_S, 0.001, 0.001)
INBOX = 8

Make = Callable[..., ScriptedConnector]


@pytest.fixture
def camera() -> Iterator[Make]:
    """Makes scripted cameras whose threads have all ended when the test has."""
    made: list[ScriptedConnector] = []

    def make(*acts: Act, **options: bool | float) -> ScriptedConnector:
        made.append(ScriptedConnector(*acts, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.free.set()
    for thread in threading.enumerate():
        if thread.name.startswith("streamer-"):
            thread.join(DEADLINE_S)
            assert not thread.is_alive(), thread.name


def take(source: LiveSource, count: int) -> list[Frame]:
    """So many frames of an entered source."""
    return list(itertools.islice(source, count))


def lost(source: LiveSource) -> dict[tuple[str, str], int]:
    """What was lost, by state and cause."""
    return {(damage.state, damage.cause): damage.frames for damage in source.take_damage()}


# frames


def test_live_frames_become_frames(camera: Make) -> None:
    shown = [
        picture(0, pts=1000, wall_clock_s=1.7e9),
        picture(1, pts=1000 + TICKS, damage="packet loss"),
        picture(2, pts=None),
    ]
    with LiveSource(camera(lambda: shown, ends=True)) as source:
        frames = list(source)
        info = source.info
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.pts for frame in frames[:2]] == [0, TICKS]
    assert [frame.raw_pts for frame in frames] == [1000, 1000 + TICKS, None]
    assert [frame.captured_s for frame in frames] == [one.arrived_s for one in shown]
    assert [frame.wall_clock_s for frame in frames] == [1.7e9, None, None]
    assert [frame.damage for frame in frames] == ["", "packet loss", ""]
    assert all(frame.picture.pts == frame.pts and frame.time_base == frame.picture.time_base for frame in frames)
    assert (info.name, info.live, info.time_base) == (NAME, True, Fraction(1, 90000))


def test_the_wall_clock_is_that_of_the_arrival(camera: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: time.monotonic() + 1.7e9)
    now_s = time.monotonic()
    arrived_s = [now_s - 3000.0, now_s - 1000.0]
    shown = [dataclasses.replace(picture(number), arrived_s=at_s) for number, at_s in enumerate(arrived_s)]
    with LiveSource(camera(lambda: shown, ends=True)) as source:
        clocks_s = [frame.arrival_wall_clock_s for frame in source]
    assert clocks_s == pytest.approx([1.7e9 + at_s for at_s in arrived_s], rel=0, abs=DEADLINE_S)


def test_decoding_time_is_recorded(camera: Make) -> None:
    stats = RunStats()
    with LiveSource(camera(pictures(3), ends=True), stats=stats) as source:
        assert len(list(source)) == 3
    assert stats.stages["decode"].count == 3


def test_losses_are_merged_by_cause(camera: Make) -> None:
    def script() -> Iterator[Item]:
        for _ in range(50):
            yield Damage("before key frame")
        yield picture(0)
        yield Damage("decode error", 2, "bad")
        yield Damage("decode error", 3)
        yield picture(1)

    with LiveSource(camera(script, ends=True)) as source:
        assert len(list(source)) == 2
        damage = source.take_damage()
        assert source.take_damage() == []
    # Frames that were not taken in time are counted without their cause.
    assert sum(one.frames for one in damage) == 55
    assert {one.cause for one in damage} <= {"before key frame", "decode error", LATE}
    assert len(damage) <= 5


def test_a_change_of_size_starts_a_segment(camera: Make, caplog: pytest.LogCaptureFixture) -> None:
    def script() -> list[LiveFrame]:
        sizes = [(64, 48), (64, 48), (128, 96), (128, 96), (64, 48)]
        return [picture(number, size=size) for number, size in enumerate(sizes)]

    with caplog.at_level(logging.WARNING), LiveSource(camera(script, ends=True)) as source:
        frames = list(source)
    assert [frame.segment for frame in frames] == [0, 0, 1, 1, 2]
    assert [frame.pts for frame in frames] == [number * TICKS for number in range(5)]
    assert caplog.messages == [f"{NAME}: frames change to {size} yuv420p" for size in ("128x96", "64x48")]


def test_a_change_of_pixel_format_starts_a_segment(camera: Make) -> None:
    shown = [picture(0), picture(1, pixel_format="yuvj420p")]
    with LiveSource(camera(lambda: shown, ends=True)) as source:
        assert [frame.segment for frame in source] == [0, 1]


# connecting again


@pytest.mark.parametrize(
    ("failure", "said", "cause"),
    [
        (None, "the stream ended", "ended"),
        (SourceLost(f"{NAME}: reading failed: I/O error", "failed"), "reading failed: I/O error", "failed"),
    ],
)
def test_a_stream_that_ends_is_reconnected(
    camera: Make, caplog: pytest.LogCaptureFixture, failure: Exception | None, said: str, cause: str
) -> None:
    def breaks() -> Iterator[Item]:
        yield from pictures(3, first=100)()
        if failure is not None:
            raise failure

    stats = RunStats()
    connector = camera(breaks, pictures(3))  # whose clock restarts
    with caplog.at_level(logging.WARNING), LiveSource(connector, AT_ONCE, stats) as source:
        frames = take(source, 6)
        assert stats.gauges["source_connected", ""] == 1
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.segment for frame in frames] == [0, 0, 0, 1, 1, 1]
    times = [frame.pts for frame in frames]
    assert times == sorted(set(times))
    assert times[5] - times[4] == times[2] - times[1] == TICKS
    assert stats.counts == {("reconnect", cause): 1}
    assert stats.gauges["source_connected", ""] == 0
    assert caplog.messages[0] == f"{NAME}: {said}; connecting again"
    assert caplog.messages[1].startswith(f"{NAME}: back after ")
    assert len(caplog.messages) == 2
    assert all(connection.closed.is_set() for connection in connector.connections)


@pytest.mark.parametrize("how", ["hang", "silence"])
def test_a_connection_without_data_is_dropped(camera: Make, caplog: pytest.LogCaptureFixture, how: str) -> None:
    def stalls() -> Iterator[Item]:
        yield from pictures(2)()
        yield from getattr(connector, how)()

    stats = RunStats()
    connector = camera(stalls, pictures(2))
    with caplog.at_level(logging.WARNING), LiveSource(connector, STALLS, stats) as source:
        frames = take(source, 4)
        assert [frame.segment for frame in frames] == [0, 0, 1, 1]
        assert stats.counts["reconnect", "stalled"] >= 1
        if how == "silence":  # one that can be ended is
            assert connector.connections[0].closed.wait(DEADLINE_S)
    assert f"{NAME}: stalled, no data for 0.5 s; connecting again" in caplog.messages


@pytest.mark.parametrize("how", ["hang", "silence"])
def test_a_connection_that_opens_without_data_is_dropped_as_soon(camera: Make, how: str) -> None:
    def silent() -> Iterator[Item]:
        yield None
        yield from getattr(connector, how)()

    connector = camera(silent, pictures(2))
    with LiveSource(connector, timing(SOON_STALLED_S, 0.001, 0.001, retry_at_start=True)) as source:
        assert len(take(source, 2)) == 2
    assert connector.tries >= 2


def test_a_connection_that_ends_before_its_first_frame_fails_at_once(camera: Make) -> None:
    connector = camera(pictures(0))
    with pytest.raises(SourceUnavailable, match="the stream ended before its first frame") as caught:
        LiveSource(connector, AT_ONCE).__enter__()
    assert caught.value.cause == "ended"


def test_data_without_a_frame_is_a_stall_in_the_end(camera: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.sources.live.live.OPENING_S", 0.0)

    def no_key_frame() -> Iterator[Item]:
        yield from pictures(1)()
        while not connector.free.wait(0.01):
            yield Damage("before key frame")

    stats = RunStats()
    connector = camera(*[no_key_frame] * 50)
    with LiveSource(connector, timing(0.1, 0.001, 0.001), stats) as source:
        assert any(("reconnect", "no key frame") in stats.counts for _ in source)
        assert ("corrupt", "before key frame") in lost(source)


def test_a_repeated_failure_is_logged_once(camera: Make, caplog: pytest.LogCaptureFixture) -> None:
    refused = SourceLost(f"{NAME}: connection refused", "refused")
    busy = SourceLost(f"{NAME}: no answer in time", "no answer")
    connector = camera(pictures(1), *[refused] * 5, *[busy] * 3, pictures(1), pictures(1))
    with caplog.at_level(logging.WARNING), LiveSource(connector, AT_ONCE) as source:
        assert [frame.segment for frame in take(source, 3)] == [0, 1, 2]
    said = [message.removeprefix(f"{NAME}: ") for message in caplog.messages]
    assert said[:3] == [
        "the stream ended; connecting again",
        "connection refused; trying again",
        "no answer in time; trying again",
    ]
    assert said[3].startswith("back after")
    assert said[4] == "the stream ended; connecting again"
    assert said[5].startswith("back after")
    assert len(said) == 6


@pytest.mark.parametrize("at_start", [True, False])
def test_the_statistics_say_why_the_source_is_not_connected(camera: Make, at_start: bool) -> None:
    stats, seen = RunStats(), list[tuple[str, float]]()

    def again() -> Iterator[Item]:
        seen.append((stats.source_fault, stats.gauges["source_connected", ""]))
        yield from pictures(1)()

    refused = SourceLost(f"{NAME}: connection refused", "refused")
    connector = camera(*([] if at_start else [pictures(1)]), refused, again)
    with LiveSource(connector, timing(DEADLINE_S, 0.001, 0.001, retry_at_start=True), stats) as source:
        take(source, 1 if at_start else 2)
        assert (stats.source_fault, stats.gauges["source_connected", ""]) == ("", 1)
    assert seen == [(f"{NAME}: connection refused", 0)]


class Changes(RunObserver):
    """Keeps what a source reports."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.times_s: list[float] = []

    def source_changed(self, fault: str, at_s: float) -> None:
        self.faults.append(fault.removeprefix(f"{NAME}: "))
        self.times_s.append(at_s)


def test_observers_learn_of_each_loss_and_each_return_once(camera: Make) -> None:
    changes, stats = Changes(), RunStats()
    stats.observe([changes])
    refused = SourceLost(f"{NAME}: connection refused", "refused")
    connector = camera(refused, refused, pictures(2), refused, refused, pictures(1))
    began_s = time.monotonic()
    with LiveSource(connector, timing(DEADLINE_S, 0.001, 0.001, retry_at_start=True), stats) as source:
        assert changes.faults == ["connection refused", ""]
        shown_s = [frame.captured_s for frame in take(source, 3)]
    assert changes.faults == ["connection refused", "", "the stream ended", ""]
    assert changes.times_s == sorted(changes.times_s)
    assert began_s <= changes.times_s[0]
    assert shown_s[1] <= changes.times_s[2] <= shown_s[2]  # the loss has the time of the last frame


def test_a_change_of_size_at_a_reconnection_is_one_segment(camera: Make, caplog: pytest.LogCaptureFixture) -> None:
    with LiveSource(camera(pictures(1), pictures(2, size=(128, 96))), AT_ONCE) as source:
        assert [(frame.segment, frame.width) for frame in take(source, 3)] == [(0, 64), (1, 128), (1, 128)]
    assert f"{NAME}: frames change to 128x96 yuv420p" in caplog.messages


def test_data_in_segments_may_take_longer(camera: Make) -> None:
    def in_parts() -> Iterator[Item]:
        yield picture(0)
        yield from itertools.islice(connector.silence(), 40)  # longer than the stall limit, shorter than its parts
        yield picture(1)

    connector = camera(in_parts, ends=True, least_stall_s=DEADLINE_S)
    with LiveSource(connector, timing(0.05)) as source:
        assert len(list(source)) == 2


# at the start, and in the end


@pytest.mark.parametrize(
    "failure", [SourceLost("refused", "refused"), SourceUnavailable("wrong password", "login refused")]
)
def test_the_first_failure_is_final_by_default(camera: Make, failure: SourceLost | SourceUnavailable) -> None:
    connector = camera(failure, pictures(1))
    with pytest.raises(SourceUnavailable, match=str(failure)) as caught:
        LiveSource(connector, AT_ONCE).__enter__()
    assert caught.value.cause == failure.cause
    assert connector.tries == 1


def test_the_first_connection_is_retried_on_request(camera: Make, caplog: pytest.LogCaptureFixture) -> None:
    refused = SourceLost(f"{NAME}: connection refused", "refused")
    stats = RunStats()
    connector = camera(*[refused] * 4, pictures(2))
    settings = timing(DEADLINE_S, 0.001, 0.001, retry_at_start=True)
    with caplog.at_level(logging.WARNING), LiveSource(connector, settings, stats) as source:
        assert [frame.segment for frame in take(source, 2)] == [0, 0]
    assert caplog.messages == [f"{NAME}: connection refused; trying again"]
    assert stats.counts == {}


@pytest.mark.parametrize("limit_s", [0.0, 0.05])
def test_retries_at_the_start_end_after_the_limit(camera: Make, limit_s: float) -> None:
    refused = SourceLost("connection refused", "refused")
    connector = camera(*[refused] * 100)
    with pytest.raises(SourceUnavailable, match=r"connection refused; given up after \d+ s") as caught:
        LiveSource(connector, timing(1.0, 0.005, 0.005, retry_for_s=limit_s, retry_at_start=True)).__enter__()
    assert caught.value.cause == "refused"
    assert connector.tries < 100


@pytest.mark.parametrize("limit_s", [0.0, 0.05])
def test_a_lost_camera_ends_the_source_after_the_limit(camera: Make, limit_s: float) -> None:
    refused = SourceLost("connection refused", "refused")
    connector = camera(pictures(2), *[refused] * 100)
    with LiveSource(connector, timing(1.0, 0.005, 0.005, retry_for_s=limit_s)) as source:
        frames = iter(source)
        assert [next(frames).index for _ in range(2)] == [0, 1]
        with pytest.raises(SourceLost, match=r"given up after \d+ s"):
            next(frames)


def test_a_failed_file_is_not_retried(camera: Make) -> None:
    def breaks() -> Iterator[Item]:
        yield from pictures(2)()
        raise SourceLost("the disk is gone")

    connector = camera(breaks, pictures(2), ends=True)
    with LiveSource(connector, AT_ONCE) as source, pytest.raises(SourceLost, match="the disk is gone"):
        list(source)
    assert connector.tries == 1


def test_an_unexpected_error_of_a_connection_is_raised_unchanged(camera: Make) -> None:
    def breaks() -> Iterator[Item]:
        yield picture()
        raise Boom("a mistake")

    connector = camera(breaks, pictures(1))
    with LiveSource(connector, AT_ONCE) as source, pytest.raises(Boom):
        list(source)
    with pytest.raises(Boom):
        LiveSource(camera(Boom("another")), AT_ONCE).__enter__()


def test_errors_that_a_user_must_fix_are_retried_slowly(camera: Make) -> None:
    wrong = SourceUnavailable(f"{NAME}: wrong user or password", "login refused")
    connector = camera(pictures(1), wrong, pictures(1))
    with LiveSource(connector, timing(DEADLINE_S, 0.001, 1000.0)) as source:
        frames = iter(source)
        next(frames)
        waiter = threading.Thread(target=lambda: list(frames), daemon=True)
        waiter.start()
        # It looks whether the camera is there only before a wait of more than a second: not the one that begins short.
        assert connector.reached.wait(DEADLINE_S)
        assert connector.tries == 2
        source.stop()
        waiter.join(DEADLINE_S)
        assert not waiter.is_alive()
    assert connector.tries == 2


def test_a_camera_that_becomes_reachable_ends_the_wait(camera: Make) -> None:
    connector = camera(pictures(1), pictures(1))
    connector.is_present = [False, False, True]
    # No test waits that long.
    with LiveSource(connector, timing(DEADLINE_S, first_wait_s=900.0, longest_wait_s=900.0)) as source:
        assert [frame.segment for frame in take(source, 2)] == [0, 1]
    assert connector.is_present == []


@pytest.mark.parametrize("where", ["reading", "connecting"])
def test_too_many_hung_threads_end_the_source(camera: Make, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.sources.live.live.OPENING_S", 0.0)

    def hangs_reading() -> Iterator[Item]:
        yield picture()
        yield from connector.hang()

    def hangs_connecting() -> Iterator[Item]:
        list(connector.hang())
        return iter(())

    hangs = hangs_reading if where == "reading" else hangs_connecting
    connector: ScriptedConnector = camera(pictures(1), *[hangs] * 40)
    with LiveSource(connector, timing(0.05, 0.001, 0.001)) as source:
        with pytest.raises(SourceLost, match=r"\d+ connections hang and cannot be ended; restart the program"):
            list(source)
        assert connector.tries < 20
        connector.free.set()


# stopping


def opening(connector: ScriptedConnector) -> list[Act]:
    del connector
    return []


def first_picture(connector: ScriptedConnector) -> list[Act]:
    return [connector.silence]


def next_picture(connector: ScriptedConnector) -> list[Act]:
    return [lambda: itertools.chain(pictures(1)(), connector.silence())]


def hanging(connector: ScriptedConnector) -> list[Act]:
    return [lambda: itertools.chain(pictures(1)(), connector.hang())]


def opening_again(connector: ScriptedConnector) -> list[Act]:
    del connector
    return [pictures(1)]


def first_picture_again(connector: ScriptedConnector) -> list[Act]:
    return [pictures(1), connector.silence]


def waiting(connector: ScriptedConnector) -> list[Act]:
    del connector
    return [pictures(1)]


@pytest.mark.parametrize(
    "phase", [opening, first_picture, next_picture, hanging, opening_again, first_picture_again, waiting]
)
def test_stopping_wakes_every_wait(camera: Make, phase: Callable[[ScriptedConnector], list[Act]]) -> None:
    connector = camera()
    connector._acts = phase(connector)
    source = LiveSource(connector, timing(1000.0, 1000.0 if phase is waiting else 0.001, 1000.0))
    stopped_early = phase in (opening, first_picture)
    began = threading.Event()
    told: list[object] = []

    def run() -> None:
        try:
            with source:
                for frame in source:
                    told.append(frame.index)
                    began.set()
        except SourceLost as error:
            told.append(str(error))

    runner = threading.Thread(target=run, daemon=True)
    runner.start()
    assert connector.reached.wait(DEADLINE_S)
    assert stopped_early or began.wait(DEADLINE_S)
    source.stop()
    runner.join(DEADLINE_S)
    assert not runner.is_alive()
    assert told == [f"{NAME}: stopped before the first frame" if stopped_early else 0]


def test_leaving_ends_the_connection(camera: Make) -> None:
    connector: ScriptedConnector = camera(lambda: itertools.chain(pictures(1)(), connector.silence()))
    with LiveSource(connector) as source:
        assert len(take(source, 1)) == 1
    assert connector.connections[0].closed.wait(DEADLINE_S)


# frames that are not taken


def test_frames_that_are_not_taken_are_counted(camera: Make) -> None:
    entered, said = threading.Event(), threading.Event()

    def script() -> Iterator[Item]:
        yield picture(0)
        assert entered.wait(DEADLINE_S)
        yield from pictures(99, first=1)()
        said.set()

    with LiveSource(camera(script, ends=True)) as source:
        entered.set()
        assert said.wait(DEADLINE_S)
        frames = list(source)
        losses = lost(source)
    assert set(losses) == {("dropped", LATE)}
    assert len(frames) + losses["dropped", LATE] == 100
    assert len(frames) >= INBOX - 3
    assert frames[-1].raw_pts == 99 * TICKS, "the newest are kept"


def heard(inbox: ItemQueue) -> list[object]:
    """The items of a connection thread, to the end."""
    items: list[object] = []
    while not items or not isinstance(items[-1], Ended):
        items.append(inbox.get(DEADLINE_S)[1])
    return items


def frames_in(items: list[object]) -> int:
    return sum(item.frames if isinstance(item, Damage) else isinstance(item, LiveFrame) for item in items)


@settings(deadline=None, max_examples=60)
@given(
    script=st.lists(st.one_of(st.just("picture"), st.none(), st.integers(1, 5)), max_size=40),
    reads_after=st.integers(0, 45),
    fails=st.booleans(),
)
def test_a_connection_thread_counts_every_lost_frame(
    script: list[str | int | None], reads_after: int, fails: bool
) -> None:
    """However late the queue is read: the info and the end arrive, and every frame is counted."""
    reached = threading.Event()

    def items() -> Iterator[Item]:
        for number, one in enumerate(script):
            if number == reads_after:
                reached.set()
            yield picture(number) if one == "picture" else one if one is None else Damage("lost", int(one))
        reached.set()
        if fails:
            raise SourceLost("gone")

    inbox: ItemQueue = BoundedQueue(INBOX, newest=True)
    line = ConnectionThread(1, ScriptedConnector(items), inbox, LiveAudio(Passthrough(live=True)))
    assert reached.wait(DEADLINE_S)
    told = heard(inbox)
    line.join(DEADLINE_S)
    assert not line.alive
    put_in = sum(1 if one == "picture" else int(one or 0) for one in script)
    assert frames_in(told) == put_in
    assert sum(isinstance(item, StreamInfo) for item in told) == ("picture" in script)
    ended = told[-1]
    assert isinstance(ended, Ended)
    assert isinstance(ended.error, SourceLost) == fails


def test_a_connection_thread_ends_when_its_queue_is_closed() -> None:
    inbox: ItemQueue = BoundedQueue(2, newest=True)
    line = ConnectionThread(1, ScriptedConnector(pictures(5)), inbox, LiveAudio(Passthrough(live=True)))
    inbox.close()
    line.join(DEADLINE_S)
    assert not line.alive
    with pytest.raises(Closed):
        inbox.get()
