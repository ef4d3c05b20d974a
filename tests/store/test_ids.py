"""Ids of events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain, repeat

from hypothesis import given
from hypothesis import strategies as st

from streamer.store.ids import LENGTH, Ulids, is_id, new_id, time_of
from tests.store.stores import NOON


@given(st.lists(st.floats(0, 2**47 / 1000), min_size=1, max_size=50))
def test_ids_rise_whatever_the_clock_does(times: list[float]) -> None:
    clock: Iterator[float] = chain(times, repeat(times[-1]))
    make = Ulids(lambda: next(clock))
    ids = [make() for _ in range(len(times) + 3)]
    assert ids == sorted(set(ids))
    assert all(is_id(one) and len(one) == LENGTH for one in ids)
    assert abs(time_of(ids[0]) - times[0]) <= 0.001


def test_ids_of_several_threads_differ() -> None:
    found: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda ids=ids: ids.extend(new_id() for _ in range(500))) for ids in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(chain(*found))) == 4 * 500
    assert all(ids == sorted(ids) for ids in found)


def test_an_id_of_the_specification_has_its_time() -> None:
    assert time_of("01ARZ3NDEKTSV4RRFFQ69G5FAV") == 1469922850.259  # the example of github.com/ulid/spec
    assert time_of(Ulids(lambda: NOON)()) == NOON
    assert not any(map(is_id, ("", "01ARZ3NDEKTSV4RRFFQ69G5FA", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "0" * 25 + "U")))
