"""Finding events: the same as a plain filter of a list, in pages of any size."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.store import changes, queries, schema
from streamer.store.database.connections import open_for_writing
from streamer.store.queries import Cursor
from streamer.store.records import EventFilter, EventRecord
from streamer.values.events import EventKind, EventPhase
from tests.store.stores import NOON, ended, event

CAMERAS, RULES, LABELS = ("gate", "yard", "door"), ("door", "line"), ("Person", "Car", "")
KINDS = (EventKind.ENTER, EventKind.CROSSING)
ZONES: tuple[tuple[str, ...], ...] = ((), ("drive",), ("drive", 'lawn "2"'), ('lawn "2"',))


def some_events() -> list[EventRecord]:
    """Events of all combinations; several have the same start."""
    found, number = [], 0
    for camera in CAMERAS:
        for rule in RULES:
            for label in LABELS:
                for kind in KINDS:
                    make = event if number % 7 == 0 else ended
                    text = "no data" if number % 5 == 0 else ""
                    names = {"camera": camera, "rule": rule, "label": label, "kind": kind}
                    zones = ZONES[number % len(ZONES)]
                    found.append(make(NOON + number // 3, text=text, zones=zones, **names))
                    number += 1
    return [replace(one, favourite=at % 4 == 0) for at, one in enumerate(found)]


EVENTS = some_events()


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(tmp_path_factory.mktemp("store") / "events.db")
    for record in EVENTS:
        changes.save(connection, record, EventPhase.START)
    changes.favourite(connection, (one.id for one in EVENTS if one.favourite), True)
    yield connection
    connection.close()


def chosen(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from((*names, "other")), max_size=3).map(tuple)


FILTERS = st.builds(
    EventFilter,
    cameras=chosen(CAMERAS),
    rules=chosen(RULES),
    labels=chosen(LABELS),
    kinds=st.lists(st.sampled_from(KINDS), max_size=2).map(tuple),
    zones=chosen(("drive", 'lawn "2"', "lawn")),
    since=st.none() | st.integers(-1, 13).map(lambda at: NOON + at),
    until=st.none() | st.integers(-1, 13).map(lambda at: NOON + at),
    favourite=st.none() | st.booleans(),
    open=st.none() | st.booleans(),
    text=st.sampled_from(("", "", "NO DATA", "gat", "o", "gate\ndoor")),
)


def expected(wanted: EventFilter, *, newest_first: bool) -> list[EventRecord]:
    def fits(one: EventRecord) -> bool:
        names = (
            (wanted.cameras, one.camera),
            (wanted.rules, one.rule),
            (wanted.labels, one.label),
            (wanted.kinds, one.kind),
        )
        return (
            all(not allowed or name in allowed for allowed, name in names)
            and (not wanted.zones or not set(wanted.zones).isdisjoint(one.zones))
            and (wanted.since is None or one.start_time >= wanted.since)
            and (wanted.until is None or one.start_time < wanted.until)
            and (wanted.favourite is None or one.favourite == wanted.favourite)
            and (wanted.open is None or (one.end_time is None) == wanted.open)
            and any(wanted.text.lower() in text.lower() for text in (one.camera, one.rule, one.label, one.text))
        )

    return sorted(filter(fits, EVENTS), key=Cursor.of, reverse=newest_first)


@settings(max_examples=150)
@given(wanted=FILTERS, newest_first=st.booleans(), page=st.integers(1, 40))
def test_pages_have_the_events_of_the_filter(
    connection: sqlite3.Connection, wanted: EventFilter, newest_first: bool, page: int
) -> None:
    everything = expected(wanted, newest_first=newest_first)
    assert queries.find(connection, wanted, limit=page, newest_first=newest_first) == everything[:page]
    assert [*queries.find_all(connection, wanted, newest_first=newest_first, page=page)] == everything
    assert queries.count(connection, wanted) == len(everything)
    new = [record for _, record in queries.find_new(connection, wanted, after=10, limit=100)]
    assert new == [one for one in EVENTS[10:] if one in everything]


def test_many_names_are_found_without_reading_all_events(connection: sqlite3.Connection) -> None:
    wanted = EventFilter(cameras=CAMERAS, labels=(*LABELS, *map(str, range(100))))
    assert queries.find(connection, wanted, limit=5) == expected(wanted, newest_first=True)[:5]


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(),
        EventFilter(cameras=("gate",), labels=("Car",), since=NOON, until=NOON + 5),
        EventFilter(labels=("Car", "Person"), until=NOON + 5),
        EventFilter(rules=("door", "line")),
        EventFilter(kinds=KINDS, since=NOON),
        EventFilter(zones=("drive",), since=NOON),
        EventFilter(zones=("drive",), cameras=("gate",), labels=("Car",)),
        EventFilter(favourite=True),
        EventFilter(open=True),
        EventFilter(text="no data"),
        EventFilter(cameras=CAMERAS, labels=tuple(map(str, range(100)))),
    ],
)
def test_every_query_reads_an_index_in_order(connection: sqlite3.Connection, wanted: EventFilter) -> None:
    """SQLite must not sort all events of a filter: with a million, that takes seconds."""
    traced: list[str] = []
    connection.set_trace_callback(traced.append)
    queries.find(connection, wanted, limit=5, after=Cursor(NOON + 4, ""))
    connection.set_trace_callback(None)
    for sql in traced:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in plan if step == "USE TEMP B-TREE FOR ORDER BY" or step == "SCAN events"], plan
        if wanted.text and "ORDER BY start_time" in sql:
            assert "events_with_text" in plan[0]  # a search that no name fits
        if wanted.since is not None and "ORDER BY start_time" in sql:
            assert "start_time>" in plan[0]  # the events before are not read


@settings(max_examples=50)
@given(wanted=FILTERS, bins=st.integers(1, 10), span=st.tuples(st.integers(-3, 12), st.floats(0.5, 20)))
def test_counts_of_bins_are_those_of_the_events(
    connection: sqlite3.Connection, wanted: EventFilter, bins: int, span: tuple[int, float]
) -> None:
    since, until = NOON + span[0], NOON + span[0] + span[1]
    inside: dict[str, list[int]] = {}
    for one in expected(replace(wanted, since=since, until=until), newest_first=True):
        at = min(int((one.start_time - since) * bins / (until - since)), bins - 1)
        inside.setdefault(one.camera, [0] * bins)[at] += 1
    assert queries.counts(connection, wanted, since=since, until=until, bins=bins) == inside


def test_names_are_those_of_the_events(connection: sqlite3.Connection) -> None:
    assert queries.names(connection, "camera") == sorted(CAMERAS)
    assert queries.names(connection, "label") == ["Car", "Person"]
    assert queries.zone_names(connection) == ["drive", 'lawn "2"']


@pytest.mark.parametrize("typed", ["whole", "end"])
def test_an_id_is_found_by_its_end(connection: sqlite3.Connection, typed: str) -> None:
    wanted = EVENTS[4].id
    assert queries.ids_ending_in(connection, wanted if typed == "whole" else wanted[-8:], most=2) == [wanted]
    assert queries.ids_ending_in(connection, "", most=2) == []
    assert queries.ids_ending_in(connection, "0" * 26, most=2) == []


def test_a_step_of_the_schema_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_for_writing(tmp_path / "events.db").close()
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE more (id); CREATE TABLE events (id)"))
    monkeypatch.setattr(schema, "VERSION", len(schema.STEPS))
    connection = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        schema.upgrade(connection)
    assert schema.version_of(connection) == len(schema.STEPS) - 1
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'more'").fetchall()
    connection.close()


def test_a_text_that_very_many_names_have_is_found(tmp_path: Path) -> None:
    """SQLite refuses an expression of more than 1,000 terms."""
    connection = open_for_writing(tmp_path / "events.db")
    connection.execute("BEGIN")
    for number in range(1100):
        changes.save(connection, ended(NOON + number, label=f"thing {number}"), EventPhase.END)
    connection.execute("COMMIT")
    found = queries.find(connection, EventFilter(text="THING"), limit=2)
    connection.close()
    assert [one.label for one in found] == ["thing 1099", "thing 1098"]
