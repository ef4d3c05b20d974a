"""The route that chooses frames by the detections around them: order, limited memory, and an end to every wait."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.flow.frame_ledger import FrameLedger
from streamer.flow.queues import Closed
from streamer.motion.lookahead import HELD_GAPS, LookaheadRoute
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from tests.pipeline.parts import DEADLINE_S

PICTURE = av.VideoFrame(16, 16, "yuv420p")
GAP = 8


def frame(index: int) -> Frame:
    return Frame(PICTURE, index, index, Fraction(1, 25), 0.0)


class Halving:
    """Ends a gap every 8 frames, and halves the gaps that contain one of `marked`."""

    def __init__(self, marked: set[int]) -> None:
        self.marked = marked

    def ends_gap(self, frame: Frame) -> bool:
        return frame.index % GAP == 0

    def end(self, frame: Frame) -> None:
        self.last = frame.index

    def between(self, before: Detected, after: Detected) -> int | None:
        first, last = before.frame.index, after.frame.index
        inside = any(first < index < last for index in self.marked)
        return (first + last) // 2 if inside else None

    def chosen(self, count: int) -> set[int]:
        """The frames that it chooses of `count`."""
        ends = sorted({*range(0, count, GAP), count - 1})
        found, gaps = set(ends), list(itertools.pairwise(ends))
        while gaps:
            one, other = (Detected(frame(index)) for index in gaps.pop())
            middle = self.between(one, other)
            if middle is not None:
                found.add(middle)
                gaps += [(one.frame.index, middle), (middle, other.frame.index)]
        return found


def delivered(choice: Halving, count: int, workers: int) -> list[tuple[int, bool]]:
    """Index and whether it was detected, of all deliveries of a whole run in threads."""
    route = LookaheadRoute(FrameLedger(), choice)

    def capture() -> None:
        for index in range(count):
            route.put(frame(index))
        route.end()

    def detect() -> None:
        for one in route.frames():
            route.done(Detected(one))

    threads = [threading.Thread(target=work, daemon=True) for work in (capture, *[detect] * workers)]
    for thread in threads:
        thread.start()
    found = [(one.frame.index, isinstance(one, Detected)) for one in route]
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    return found


@given(marked=st.sets(st.integers(0, 40)), count=st.integers(1, 40), workers=st.integers(1, 3))
def test_every_frame_is_delivered_in_order(marked: set[int], count: int, workers: int) -> None:
    choice = Halving(marked)
    expected = choice.chosen(count)
    assert delivered(choice, count, workers) == [(index, index in expected) for index in range(count)]


def test_an_empty_file_ends() -> None:
    assert delivered(Halving(set()), 0, 2) == []


def test_capture_waits_while_two_gaps_are_held() -> None:
    route = LookaheadRoute(FrameLedger(), Halving(set()))
    put: list[int] = []

    def capture() -> None:
        with suppress(Closed):
            for index in range(10 * GAP):
                route.put(frame(index))
                put.append(index)

    capturing = threading.Thread(target=capture, daemon=True)
    capturing.start()
    chosen, deliveries = route.frames(), iter(route)
    for expected in (0, GAP):
        one = next(chosen)
        assert one.index == expected
        route.done(Detected(one))
    assert next(deliveries).frame.index == 0  # makes room for one gap
    assert next(chosen).index == HELD_GAPS * GAP
    route.close()
    capturing.join(DEADLINE_S)
    assert put == list(range(HELD_GAPS * GAP + 1))


@pytest.mark.parametrize("reader", ["frames", "deliveries"])
def test_close_wakes_every_wait(reader: str) -> None:
    route = LookaheadRoute(FrameLedger(), Halving(set()))
    woken = threading.Event()

    def wait() -> None:
        waiting: Iterator[object] = route.frames() if reader == "frames" else iter(route)
        with pytest.raises(Closed):
            next(waiting)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    route.close()
    assert woken.wait(DEADLINE_S)
    with pytest.raises(Closed):
        route.put(frame(0))
