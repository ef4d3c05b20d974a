"""The thread that makes video for viewers: when it runs, and what it does for several of them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack

import pytest

from streamer.broadcast import feed as feeds
from streamer.broadcast.feed import Feed
from streamer.broadcast.shown import ShownFrame
from tests.broadcast.shown import shown

WAIT_S = 10.0


class Recorder:
    """A maker that returns the number of each frame, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.made: list[tuple[int, bool]] = []
        self.built = self.closed = 0
        self.hold = threading.Event()
        self.hold.set()

    def build(self) -> Recorder:
        self.built += 1
        return self

    def make(self, frame: ShownFrame, *, fresh: bool) -> int | None:
        self.hold.wait(WAIT_S)
        self.made.append((frame.number, fresh))
        return frame.number

    def close(self) -> None:
        self.closed += 1


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "streamer-made"]


async def ended() -> None:
    async with asyncio.timeout(WAIT_S):
        while running():
            await asyncio.sleep(0.001)


async def taken(queue: asyncio.Queue[int]) -> int:
    async with asyncio.timeout(WAIT_S):
        return await queue.get()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def feed(recorder: Recorder) -> Feed[int]:
    return Feed("made", recorder.build, lambda: None)


def test_nothing_runs_without_viewers(feed: Feed[int], recorder: Recorder) -> None:
    feed.put(shown(0))
    assert not feed.watched
    assert not running()
    assert not recorder.built


async def _two_viewers(feed: Feed[int], recorder: Recorder) -> None:
    one, other = asyncio.Queue[int](), asyncio.Queue[int]()
    with feed.watch(one.put_nowait), feed.watch(other.put_nowait):
        for number in range(3):
            feed.put(shown(number))
            assert await taken(one) == await taken(other) == number
        assert len(running()) == 1
    assert [number for number, _ in recorder.made] == [0, 1, 2]
    await ended()
    assert recorder.built == recorder.closed == 1


def test_two_viewers_share_one_thread_and_each_result(feed: Feed[int], recorder: Recorder) -> None:
    asyncio.run(_two_viewers(feed, recorder))


async def _come_and_go(feed: Feed[int]) -> None:
    for number in range(20):
        queue = asyncio.Queue[int]()
        with feed.watch(queue.put_nowait):
            feed.put(shown(number))
            assert await taken(queue) == number
    await ended()


def test_a_viewer_that_comes_while_the_thread_ends_is_served(feed: Feed[int]) -> None:
    asyncio.run(_come_and_go(feed))


async def _slow(feed: Feed[int], recorder: Recorder) -> None:
    queue = asyncio.Queue[int]()
    recorder.hold.clear()
    with feed.watch(queue.put_nowait):
        for number in range(100):
            feed.put(shown(number))
        recorder.hold.set()
        seen = [await taken(queue)]
        while seen[-1] != 99:
            seen.append(await taken(queue))
    assert len(seen) <= 2


def test_a_thread_that_is_late_takes_the_newest_frame(feed: Feed[int], recorder: Recorder) -> None:
    asyncio.run(_slow(feed, recorder))


async def _stalled_loop(feed: Feed[int], recorder: Recorder) -> None:
    queue = asyncio.Queue[int]()
    with feed.watch(queue.put_nowait):
        for number in range(100):  # the loop delivers nothing meanwhile
            feed.put(shown(number))
            threading.Event().wait(0.001)
        assert len(recorder.made) <= feeds.MOST_HANDED
        while await taken(queue) != 99:
            pass


def test_an_event_loop_that_stalls_collects_few_results(feed: Feed[int], recorder: Recorder) -> None:
    asyncio.run(_stalled_loop(feed, recorder))


async def _between_frames(recorder: Recorder) -> None:
    newest = shown(7)
    feed: Feed[int] = Feed("made", recorder.build, lambda: newest)
    queue = asyncio.Queue[int]()
    with feed.watch(queue.put_nowait):
        assert await taken(queue) == 7
        assert recorder.made == [(7, True)]
        with feed.watch(queue.put_nowait):
            for _ in range(5):
                feed.ask_fresh()
            assert await taken(queue) == await taken(queue) == 7
        assert recorder.made == [(7, True), (7, True)]


def test_a_viewer_between_two_frames_gets_the_newest_one_again(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a camera that is lost. Many requests at one time need one keyframe."""
    monkeypatch.setattr(feeds, "FRESH_INTERVAL_S", 0.05)
    asyncio.run(_between_frames(recorder))


async def _quiet(recorder: Recorder) -> None:
    newest = shown(7)
    feed: Feed[int] = Feed("made", recorder.build, lambda: newest)
    queue = asyncio.Queue[int]()
    with feed.watch(queue.put_nowait):
        assert [await taken(queue) for _ in range(3)] == [7, 7, 7]
    assert recorder.made == [(7, True), (7, False), (7, False)]


def test_the_frame_of_a_lost_camera_is_repeated(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "REPEATED_AFTER_S", 0.05)
    asyncio.run(_quiet(recorder))


async def _failing(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Recorder:
        raise RuntimeError("no encoder")

    feed: Feed[int] = Feed("made", fail, lambda: None)
    with ExitStack() as stack:
        stack.enter_context(feed.watch(lambda _: None))
        await ended()
        feed.put(shown(0))
    assert "no encoder" in caplog.text


def test_a_failure_is_logged_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(_failing(caplog))


async def _bad_frame(feed: Feed[int], recorder: Recorder) -> None:
    queue = asyncio.Queue[int]()
    make = recorder.make

    def fail(frame: ShownFrame, *, fresh: bool) -> int | None:
        if frame.number < 2:
            raise ValueError("a damaged frame")
        return make(frame, fresh=fresh)

    recorder.make = fail  # type: ignore[method-assign]
    with feed.watch(queue.put_nowait):
        for number in range(4):
            feed.put(shown(number))
            if number >= 2:
                assert await taken(queue) == number
    await ended()


def test_a_frame_that_fails_is_left_out(feed: Feed[int], recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(_bad_frame(feed, recorder))
    assert caplog.text.count("Traceback") <= 1


async def _closed(feed: Feed[int]) -> None:
    with feed.watch(lambda _: None):
        feed.put(shown(0))
        await asyncio.to_thread(feed.close)
        assert not running()


def test_closing_ends_the_thread_while_viewers_watch(feed: Feed[int]) -> None:
    asyncio.run(_closed(feed))
