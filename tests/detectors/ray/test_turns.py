"""Whose frame a pool detects next: fair between senders, the oldest first, none that waited too long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streamer.detectors.ray.turns import Expired, Turns
from tests.detectors.remote.scripted import Clock

LONG_S = 1000.0


async def put(turns: Turns[str, str], frames: Sequence[str], limit_s: float = LONG_S) -> list[asyncio.Task[str]]:
    """Let frames such as `a1` arrive: frame 1 of the sender a."""
    tasks = []
    for frame in frames:
        tasks.append(asyncio.create_task(turns.detected(frame[0], frame, limit_s)))
        await asyncio.sleep(0)  # in this order
    return tasks


async def taken(turns: Turns[str, str], count: int) -> list[str]:
    """The next frames that workers get."""
    found = [await turns.next() for _ in range(count)]
    for one in found:
        one.answer.set_result(f"boxes of {one.frame}")
    return [one.frame for one in found]


def test_a_sender_gets_the_detections_of_its_frame() -> None:
    async def run() -> None:
        turns: Turns[str, str] = Turns()
        [sent] = await put(turns, ["a1"])
        assert await taken(turns, 1) == ["a1"]
        assert await sent == "boxes of a1"

    asyncio.run(run())


def test_the_sender_that_waited_longest_for_its_turn_is_next() -> None:
    """One that sends three times as many frames gets no more turns."""

    async def run() -> None:
        turns: Turns[str, str] = Turns()
        tasks = await put(turns, ["a1", "b1"])
        assert await taken(turns, 2) == ["a1", "b1"]
        tasks += await put(turns, ["a2", "a3", "a4", "b2", "c1"])
        assert await taken(turns, 3) == ["c1", "a2", "b2"]
        tasks += await put(turns, ["c2", "b3"])
        assert await taken(turns, 3) == ["c2", "a3", "b3"]
        for task in tasks:
            task.cancel()

    asyncio.run(run())


def test_of_one_sender_the_oldest_frame_is_next() -> None:
    async def run() -> None:
        turns: Turns[str, str] = Turns()
        await put(turns, ["a1", "a2", "a3"])
        assert await taken(turns, 3) == ["a1", "a2", "a3"]

    asyncio.run(run())


def test_a_frame_that_waited_too_long_is_not_detected() -> None:
    async def run() -> None:
        clock = Clock()
        turns: Turns[str, str] = Turns(clock)
        old = await put(turns, ["a1", "b1"], limit_s=2.0)
        clock.now_s += 2.5
        await put(turns, ["b2"])
        assert await taken(turns, 1) == ["b2"]
        assert len(turns) == 0
        for task in old:
            task.cancel()

    asyncio.run(run())


def test_a_sender_is_told_that_no_worker_was_free() -> None:
    async def run() -> None:
        turns: Turns[str, str] = Turns()
        with pytest.raises(Expired):
            await turns.detected("a", "a1", 0.001)

    asyncio.run(run())


def test_frames_that_were_given_up_are_not_kept() -> None:
    """Also while all workers hang, so that nothing takes a frame."""

    async def run() -> None:
        turns: Turns[str, str] = Turns()
        for _ in range(3):
            with pytest.raises(Expired):
                await turns.detected("a", "a1", 0.001)
        assert len(turns) == 0

    asyncio.run(run())


def test_the_frame_of_a_sender_that_has_gone_is_not_detected() -> None:
    async def run() -> None:
        turns: Turns[str, str] = Turns()
        [gone, _] = await put(turns, ["a1", "b1"])
        gone.cancel()
        await asyncio.sleep(0)
        assert await taken(turns, 1) == ["b1"]
        assert len(turns) == 0

    asyncio.run(run())


def test_a_worker_that_waits_is_woken_by_the_next_frame() -> None:
    async def run() -> None:
        turns: Turns[str, str] = Turns()
        waits = asyncio.create_task(taken(turns, 1))
        await asyncio.sleep(0)
        await put(turns, ["a1"])
        assert await waits == ["a1"]
        assert turns.senders == 1

    asyncio.run(run())
