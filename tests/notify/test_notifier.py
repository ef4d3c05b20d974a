"""Delivery from a real store to real servers: at least once, in order, whatever the receiver does."""

from __future__ import annotations

import itertools
import queue
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.notify import notifier as notifier_module
from streamer.notify.notifier import Notifier
from streamer.notify.target import CameraCondition, CameraReadings, Message
from streamer.registry import TARGETS
from streamer.store.event_store import EventStore
from streamer.store.records import EventRecord
from streamer.values.events import NOTHING_WATCHED, EventPhase
from tests.notify.messages import record
from tests.notify.receiver import Reply, Request, receiving

QUICK = {"type": "webhook", "first_wait_s": 0.01, "longest_wait_s": 0.5}


def settings(**targets: Any) -> NotifySettings:
    return NotifySettings.model_validate({"targets": {name: {**QUICK, **one} for name, one in targets.items()}})


@contextmanager
def notifying(folder: Path, **targets: Any) -> Iterator[tuple[EventStore, Notifier]]:
    with EventStore(StoreSettings(folder=folder)) as store, Notifier(settings(**targets), store, folder) as notifier:
        yield store, notifier


def save(store: EventStore, count: int, targets: Sequence[str] = ("ops",)) -> list[EventRecord]:
    records = [record() for _ in range(count)]
    for one in records:
        store.save(one, EventPhase.MOMENT, targets)
    return records


def events(requests: Sequence[Request]) -> list[str]:
    return [one.json["data"]["id"] for one in requests]


def test_messages_arrive_in_order_and_leave_the_store(tmp_path: Path) -> None:
    with receiving() as receiver, notifying(tmp_path, ops={"url": receiver.url}) as (store, _):
        saved = save(store, 200)
        assert events(receiver.all(200)) == [one.id for one in saved]
    with EventStore(StoreSettings(folder=tmp_path)) as store:
        assert store.waiting("ops") == 0


def test_a_receiver_that_fails_holds_the_queue_until_it_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = {1: Reply(500), 2: Reply(reset=True), 3: Reply(503, {"Retry-After": "0"}), 4: Reply(401), 5: Reply(404)}
    with (
        receiving(lambda _, n: bad.get(n, Reply())) as receiver,
        notifying(tmp_path, ops={"url": receiver.url}) as (
            store,
            notifier,
        ),
    ):
        saved = save(store, 3)
        got = receiver.all(8)
    assert events(got) == [saved[0].id, *[saved[1].id] * 6, saved[2].id]
    assert len({one.headers["idempotency-key"] for one in got}) == 3
    status, waiting = notifier.statuses()[0]
    assert (status.delivered, status.failed_attempts, status.refused, status.error, waiting) == (3, 5, 0, "", 0)
    assert any("target ops: http://127.0.0.1" in one and "answers 500" in one for one in caplog.messages)
    assert any("target ops works again" in one for one in caplog.messages)


def test_a_refused_message_is_dropped_and_told_and_others_follow(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request, _: int) -> Reply:
        return Reply(422 if request.json["data"]["label"] == "bad" else 200)

    with receiving(answer) as receiver, notifying(tmp_path, ops={"url": receiver.url}) as (store, notifier):
        bad = record(label="bad")
        store.save(bad, EventPhase.MOMENT, ["ops"])
        (good,) = save(store, 1)
        assert events(receiver.all(4)) == [bad.id] * 3 + [good.id]
    assert notifier.statuses()[0][0].refused == 1
    assert any(bad.id in one and "422" in one and "dropped" in one for one in caplog.messages)


def test_a_lasting_fault_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def answer(_: Request, number: int) -> Reply:
        return Reply(200 if number == 5 else 500, body=f"request {number}".encode())

    with receiving(answer) as receiver, notifying(tmp_path, ops={"url": receiver.url}) as (store, _):
        save(store, 1)
        receiver.all(6)
    assert sum("answers 500" in one for one in caplog.messages) == 1


def test_messages_wait_for_the_next_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with receiving(lambda *_: Reply(500)) as receiver:
        with notifying(tmp_path, ops={"url": receiver.url}) as (store, _):
            saved = save(store, 5)
            receiver.next()
        assert any("5 messages for target ops wait for the next start" in one for one in caplog.messages)
    with receiving() as receiver, notifying(tmp_path, ops={"url": receiver.url}):
        assert events(receiver.all(5)) == [one.id for one in saved]


def test_leaving_delivers_what_was_just_saved(tmp_path: Path) -> None:
    with receiving(lambda *_: Reply(slow_s=0.01)) as receiver:
        with notifying(tmp_path, ops={"url": receiver.url}) as (store, _):
            saved = save(store, 20)
        assert events(receiver.all(20)) == [one.id for one in saved]


def test_a_target_that_hangs_does_not_delay_others_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notifier_module, "END_S", 0.1)
    monkeypatch.setattr(notifier_module, "TOLD_S", 0.05)
    with receiving(lambda *_: Reply(slow_s=100)) as hung, receiving() as receiver:
        with notifying(tmp_path, ops={"url": hung.url, "timeout_s": 500}, other={"url": receiver.url}) as (store, _):
            saved = save(store, 10, ["ops", "other"])
            assert events(receiver.all(10)) == [one.id for one in saved]
            hung.next()
        with EventStore(StoreSettings(folder=tmp_path)) as store:
            assert (store.waiting("ops"), store.waiting("other")) == (10, 0)
    assert any("waiting up to 0.1 s for the answer of ops" in one for one in caplog.messages)


def test_messages_expire_while_a_target_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request, _: int) -> Reply:
        return Reply(200 if request.json["data"]["label"] == "fresh" else 500)

    with receiving(answer) as receiver:
        with notifying(tmp_path, ops={"url": receiver.url, "retry_for_s": 3600}) as (store, _):
            save(store, 150)
            receiver.next()
        with sqlite3.connect(tmp_path / "events.db") as database:
            database.execute("UPDATE deliveries SET time = time - 3601")
        with notifying(tmp_path, ops={"url": receiver.url, "retry_for_s": 3600}) as (store, notifier):
            store.save(record(label="fresh"), EventPhase.MOMENT, ["ops"])
            while receiver.next().json["data"]["label"] != "fresh":
                pass
        assert notifier.statuses()[0][0].expired == 150
    assert any("150 messages for target ops dropped: not delivered within 3600 s" in one for one in caplog.messages)


def test_messages_of_a_removed_target_are_kept_for_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore(StoreSettings(folder=tmp_path)) as store:
        save(store, 3, ["former"])
    with notifying(tmp_path) as (store, _):
        assert any("3 messages for target former, which the settings do not have" in one for one in caplog.messages)
        assert store.waiting("former") == 3
    with sqlite3.connect(tmp_path / "events.db") as database:
        database.execute("UPDATE deliveries SET time = time - 8 * 86400")
    with notifying(tmp_path) as (store, _):
        store.flush()
        assert any("3 messages for the former target former dropped" in one for one in caplog.messages)
        assert store.waiting("former") == 0


def test_each_target_gets_the_messages_of_its_filters(tmp_path: Path) -> None:
    with notifying(
        tmp_path, a={"url": "http://127.0.0.1:9/", "kinds": ["leave"]}, b={"url": "http://127.0.0.1:9/"}
    ) as (
        _,
        notifier,
    ):
        event = record()
        assert notifier.targets_for(event, EventPhase.START) == ("b",)
        assert notifier.targets_for(replace(event, revision=2), EventPhase.END) == ("a", "b")
        assert notifier.targets_for(event, None) == ("b",)


class Board:
    """A target that shows readings, and fails by errors of its own."""

    section = settings(x={"url": "http://127.0.0.1/"}).targets["x"].__class__
    shown: queue.Queue[CameraReadings] = queue.Queue()
    failures = 2
    done: queue.Queue[str] = queue.Queue()

    @classmethod
    def from_settings(cls, *_: Any) -> Board:
        return cls()

    def deliver(self, message: Any) -> str:
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError("oops")
        self.done.put(message.key)
        return ""

    def publish(self, readings: CameraReadings) -> None:
        self.shown.put(readings)

    def keep_only(self, cameras: Any) -> None:
        self.done.put(f"{cameras}")

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def board() -> Iterator[type[Board]]:
    TARGETS.register("board", Board)
    yield Board
    TARGETS.unregister("board")


class Carrier(Board):
    """A target that takes several messages, but every third one only when it comes alone."""

    failures = 0
    together: queue.Queue[int] = queue.Queue()

    def deliver_all(self, messages: Sequence[Message]) -> int:
        taken = list(itertools.takewhile(lambda message: message.event.track % 3, messages))
        for message in taken:
            self.done.put(message.key)
        self.together.put(len(taken))
        return len(taken)


def test_several_messages_are_delivered_together(tmp_path: Path) -> None:
    TARGETS.register("carrier", Carrier)
    one = {**QUICK, "type": "carrier", "url": "http://127.0.0.1/"}
    try:
        chosen = NotifySettings.model_validate({"targets": {"ops": one}})
        with EventStore(StoreSettings(folder=tmp_path)) as store:
            saved = [record(track=number) for number in range(1, 11)]
            for event in saved:
                store.save(event, EventPhase.MOMENT, ("ops",))
            store.flush()
            with Notifier(chosen, store, tmp_path) as notifier:
                assert [Carrier.done.get(timeout=20) for _ in saved] == [f"{event.id}-1" for event in saved]
            [(status, waiting)] = notifier.statuses()
    finally:
        TARGETS.unregister("carrier")
    assert [Carrier.together.get(timeout=0) for _ in range(3)] == [2, 2, 2]
    assert (status.delivered, status.failed_attempts, waiting) == (10, 0, 0)


def test_an_error_in_a_target_of_another_package_loses_nothing(tmp_path: Path, board: type[Board]) -> None:
    chosen = NotifySettings.model_validate({"targets": {"ops": {**QUICK, "type": "board", "url": "http://127.0.0.1/"}}})
    with EventStore(StoreSettings(folder=tmp_path)) as store, Notifier(chosen, store, tmp_path) as notifier:
        (saved,) = save(store, 1)
        assert board.done.get(timeout=20) == f"{saved.id}-1"
        notifier.publish("gate", NOTHING_WATCHED, CameraCondition.LOST)
        assert board.shown.get(timeout=20) == CameraReadings("gate", CameraCondition.LOST, NOTHING_WATCHED)
        notifier.keep_only(("gate",))
        assert board.done.get(timeout=20) == "('gate',)"
