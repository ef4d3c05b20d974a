"""The place of a pool that was started again: with the same classes, with others, and not yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest

from streamer.config.detector import DetectorSettings
from streamer.detectors.ray import detector, link, pools
from streamer.detectors.ray.address import PoolAddress
from streamer.detectors.ray.link import PoolLink
from streamer.detectors.ray.values import Loaded, PoolCard
from streamer.errors import ModelError
from streamer.values.labels import LabelTable
from tests.detectors.ray.pool_here import ADDRESS, LABELS
from tests.detectors.remote.scripted import Clock


def card_with(labels: LabelTable, token: str = "new") -> PoolCard:
    return PoolCard(1, token, Loaded("test", labels, 0.0, 0.0, "here"), 1)


OLD = card_with(LABELS, "old")
OTHER = card_with(LabelTable(("other",)))
NEW = card_with(LABELS)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[PoolCard | Exception]:
    """What the cluster says of the pool, one after the other; the last answer stays."""
    given: list[PoolCard | Exception] = []

    @contextmanager
    def connect(*_: Any, **__: Any) -> Iterator[None]:
        yield

    def find(*_: Any, **__: Any) -> PoolCard:
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(link, "connect", connect)
    monkeypatch.setattr(link, "_AGAIN_AFTER_S", 0.001)
    monkeypatch.setattr(pools, "find", find)
    return given


def search(place: PoolLink) -> None:
    place.renew(OLD)
    assert place._search is not None
    place._search.join(20)


def test_a_pool_is_found_when_it_is_there_with_the_classes_of_the_run(
    answers: list[PoolCard | Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """Other classes are told once, however long they stay."""
    answers += [pools.NoPool("no pool"), ModelError("still loading"), *[OTHER] * 5, NEW]
    place = PoolLink(ADDRESS, OLD)
    with caplog.at_level(logging.WARNING):
        search(place)
    assert place.card is NEW
    assert [line for line in caplog.messages if "other classes" in line] == caplog.messages
    assert len(caplog.messages) == 1
    place.close()


def test_the_end_of_a_run_ends_the_search(answers: list[PoolCard | Exception]) -> None:
    answers += [OTHER]
    place = PoolLink(ADDRESS, OLD)
    place.renew(OLD)
    place.close()
    assert place._search is not None
    place._search.join(20)
    assert not place._search.is_alive()
    assert place.card is OLD


@pytest.mark.usefixtures("answers")
def test_a_run_that_ends_does_not_wait_for_a_cluster_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = Event()

    def find(*_: Any, **__: Any) -> PoolCard:
        hangs.wait()
        return NEW

    monkeypatch.setattr(link, "_END_S", 0.01)
    monkeypatch.setattr(pools, "find", find)
    place = PoolLink(ADDRESS, OLD)
    place.renew(OLD)
    for _ in range(8):  # each detector of the run closes it
        place.close()
    assert place._search is not None
    assert place._search.is_alive()
    hangs.set()
    place._search.join(20)


def test_a_later_run_looks_for_the_pool_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been replaced by one with other classes."""
    found = [OLD, OTHER]
    take: Callable[[PoolAddress], PoolCard] = lambda _: found.pop(0)  # noqa: E731
    monkeypatch.setattr(link, "card_of", take)
    clock = Clock()
    known = detector._Known(clock)
    settings = DetectorSettings(name="ray://127.0.0.1:1/pool")
    assert known.card(settings) is known.card(settings) is OLD
    clock.now_s += 60
    assert known.card(settings) is OTHER
