"""Hand-off between threads: order, bounds, and every wait can be woken."""

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
    """Run `work` on a thread; the list gets what it returned or raised."""
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
    mailbox: BoundedQueue[int] = BoundedQueue(3)
    thread, outcome = outcome_of(lambda: list(mailbox))
    for item in range(100):
        mailbox.put(item)
    mailbox.finish()
    thread.join(DEADLINE_S)
    assert outcome == [list(range(100))]


def test_a_full_mailbox_holds_the_writer_until_there_is_room() -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(2)
    mailbox.put(1)
    mailbox.put(2)
    thread, outcome = outcome_of(lambda: mailbox.put(3))
    assert len(mailbox) == 2
    assert mailbox.get() == 1
    thread.join(DEADLINE_S)
    assert outcome == [None]
    assert [mailbox.get(), mailbox.get()] == [2, 3]


@pytest.mark.parametrize("filled", [0, 2])
def test_close_wakes_a_reader_and_a_writer(filled: int) -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(2)
    for item in range(filled):
        mailbox.put(item)
    thread, outcome = outcome_of((lambda: mailbox.put(9)) if filled else mailbox.get)
    mailbox.close()
    thread.join(DEADLINE_S)
    assert isinstance(outcome[0], Closed)


def test_iterating_a_closed_mailbox_is_not_mistaken_for_its_end() -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(2)
    mailbox.put(1)
    mailbox.close()
    with pytest.raises(Closed):
        list(mailbox)


def test_nothing_can_be_put_after_finish() -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(2)
    mailbox.finish()
    with pytest.raises(Closed):
        mailbox.put(1)


@pytest.mark.parametrize("make", [BoundedQueue, ReorderBuffer])
def test_a_capacity_below_one_is_refused(make: Callable[[int], object]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        make(0)


@given(count=st.integers(0, 60), capacity=st.integers(1, 5), workers=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_a_sequencer_restores_the_order_of_any_workers(count: int, capacity: int, workers: int, seed: int) -> None:
    sequencer: ReorderBuffer[int] = ReorderBuffer(capacity)
    todo: BoundedQueue[int] = BoundedQueue(workers)
    shuffle = random.Random(seed)
    hold = [shuffle.random() < 0.3 for _ in range(count)]
    turn = threading.Event()

    def work() -> None:
        for number in todo:
            if hold[number]:
                turn.wait(1e-4)
            sequencer.put(number, number)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    reader, outcome = outcome_of(lambda: list(sequencer))
    for number in range(count):
        todo.put(number)
    todo.finish()
    sequencer.finish(count)
    reader.join(DEADLINE_S)
    assert outcome == [list(range(count))]


def test_a_worker_too_far_ahead_waits_and_close_wakes_it() -> None:
    sequencer: ReorderBuffer[str] = ReorderBuffer(2)
    sequencer.put(1, "second")
    thread, outcome = outcome_of(lambda: sequencer.put(2, "third"))
    assert outcome == []
    sequencer.close()
    thread.join(DEADLINE_S)
    assert isinstance(outcome[0], Closed)
    with pytest.raises(Closed):
        next(iter(sequencer))


@given(items=st.lists(st.integers(), max_size=30), capacity=st.integers(1, 5))
def test_where_the_newest_is_wanted_put_returns_what_had_to_go(items: list[int], capacity: int) -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(capacity, newest=True)
    dropped = [mailbox.put(item) for item in items]
    mailbox.finish()
    assert list(mailbox) == items[-capacity:]
    assert dropped == [None] * min(capacity, len(items)) + items[: max(len(items) - capacity, 0)]


@pytest.mark.parametrize("newest", [True, False])
def test_a_reader_with_a_deadline_gives_up_and_is_woken_by_an_item(newest: bool) -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(1, newest=newest)
    with pytest.raises(TimeoutError):
        mailbox.get(0.0)
    thread, outcome = outcome_of(lambda: mailbox.get(DEADLINE_S))
    mailbox.put(7)
    thread.join(DEADLINE_S)
    assert outcome == [7]


@pytest.mark.parametrize("ending", ["close", "finish"])
def test_a_reader_with_a_deadline_is_woken_by_the_end(ending: str) -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(1, newest=True)
    thread, outcome = outcome_of(lambda: mailbox.get(DEADLINE_S))
    getattr(mailbox, ending)()
    thread.join(DEADLINE_S)
    assert isinstance(outcome[0], Closed)


def test_a_mailbox_tells_that_it_is_closed_and_takes_nothing_more() -> None:
    mailbox: BoundedQueue[int] = BoundedQueue(2, newest=True)
    mailbox.put(1)
    assert not mailbox.closed
    mailbox.close()
    assert mailbox.closed
    with pytest.raises(Closed):
        mailbox.put(2)
    with pytest.raises(Closed):
        mailbox.get()
