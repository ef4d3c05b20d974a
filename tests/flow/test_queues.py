"""Queues between threads: order, bounds, and every wait can be woken."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.flow.queues import BoundedQueue, Closed, ReorderBuffer

DEADLINE_S = 10.0


def outcome_of(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run `work` on a thread; its result or error is appended to the list."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Closed as closed:
            outcome.append(closed)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def test_items_come_out_in_order_and_end_after_finish() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)
    thread, outcome = outcome_of(lambda: list(queue))
    for item in range(100):
        queue.put(item)
    queue.finish()
    thread.join(DEADLINE_S)
    assert outcome == [list(range(100))]


def test_a_full_queue_blocks_the_writer_until_there_is_room() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    queue.put(1)
    queue.put(2)
    thread, outcome = outcome_of(lambda: queue.put(3))
    assert len(queue) == 2
    assert queue.get() == 1
    thread.join(DEADLINE_S)
    assert outcome == [None]
    assert [queue.get(), queue.get()] == [2, 3]


@pytest.mark.parametrize("filled", [0, 2])
def test_close_wakes_a_reader_and_a_writer(filled: int) -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    for item in range(filled):
        queue.put(item)
    thread, outcome = outcome_of((lambda: queue.put(9)) if filled else queue.get)
    queue.close()
    thread.join(DEADLINE_S)
    assert isinstance(outcome[0], Closed)


def test_iterating_a_closed_queue_raises_closed() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    queue.put(1)
    queue.close()
    with pytest.raises(Closed):
        list(queue)


def test_nothing_can_be_put_after_finish() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    queue.finish()
    with pytest.raises(Closed):
        queue.put(1)


@pytest.mark.parametrize("make", [BoundedQueue, ReorderBuffer])
def test_a_capacity_below_one_is_refused(make: Callable[[int], object]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        make(0)


@given(count=st.integers(0, 60), capacity=st.integers(1, 5), workers=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_a_reorder_buffer_restores_the_order_of_several_workers(
    count: int, capacity: int, workers: int, seed: int
) -> None:
    buffer: ReorderBuffer[int] = ReorderBuffer(capacity)
    todo: BoundedQueue[int] = BoundedQueue(workers)
    shuffle = random.Random(seed)
    hold = [shuffle.random() < 0.3 for _ in range(count)]
    turn = threading.Event()

    def work() -> None:
        for number in todo:
            if hold[number]:
                turn.wait(1e-4)
            buffer.put(number, number)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    reader, outcome = outcome_of(lambda: list(buffer))
    for number in range(count):
        todo.put(number)
    todo.finish()
    buffer.finish(count)
    reader.join(DEADLINE_S)
    assert outcome == [list(range(count))]


def test_a_worker_too_far_ahead_waits_and_close_wakes_it() -> None:
    buffer: ReorderBuffer[str] = ReorderBuffer(2)
    buffer.put(1, "second")
    thread, outcome = outcome_of(lambda: buffer.put(2, "third"))
    assert outcome == []
    buffer.close()
    thread.join(DEADLINE_S)
    assert isinstance(outcome[0], Closed)
    with pytest.raises(Closed):
        next(iter(buffer))


@given(items=st.lists(st.integers(), max_size=30), capacity=st.integers(1, 5))
def test_with_newest_put_returns_the_dropped_item(items: list[int], capacity: int) -> None:
    queue: BoundedQueue[int] = BoundedQueue(capacity, newest=True)
    dropped = [queue.put(item) for item in items]
    queue.finish()
    assert list(queue) == items[-capacity:]
    assert dropped == [None] * min(capacity, len(items)) + items[: max(len(items) - capacity, 0)]


@pytest.mark.parametrize("newest", [True, False])
def test_a_reader_with_a_timeout_gives_up_or_is_woken_by_an_item(newest: bool) -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, newest=newest)
    with pytest.raises(TimeoutError):
        queue.get(0.0)
    thread, outcome = outcome_of(lambda: queue.get(DEADLINE_S))
    queue.put(7)
    thread.join(DEADLINE_S)
    assert outcome == [7]


@pytest.mark.parametrize("ending", ["close", "finish"])
def test_a_reader_with_a_timeout_is_woken_by_the_end(ending: str) -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, newest=True)
    thread, outcome = outcome_of(lambda: queue.get(DEADLINE_S))
    getattr(queue, ending)()
    thread.join(DEADLINE_S)
    assert isinstance(outcome[0], Closed)


def test_a_closed_queue_reports_it_and_takes_no_item() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, newest=True)
    queue.put(1)
    assert not queue.closed
    queue.close()
    assert queue.closed
    with pytest.raises(Closed):
        queue.put(2)
    with pytest.raises(Closed):
        queue.get()
