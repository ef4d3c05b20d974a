"""Listing, counting and changing the events of a real site over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from streamer.store.event_store import EventStore
from streamer.values.events import EventKind, EventPhase
from tests.api.served import Client
from tests.api.sites import Served, served_site
from tests.store.stores import DEADLINE_S, NOON, add_clip, ended, event, until

STORE = {"keep_days": None, "min_free_gb": 0}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    with served_site(tmp_path, store={**STORE, "folder": str(tmp_path / "events")}) as site:
        yield site


def fill(store: EventStore, count: int = 10) -> list[str]:
    """Events an hour apart, of two cameras; the ids, the newest first."""
    ids = list[str]()
    for number in range(count):
        zones = (("drive",), ("drive", "lawn"), ())[number % 3]
        camera, label = ("gate", "Person") if number % 2 else ("yard", "Car")
        record = ended(NOON + 3600 * number, camera=camera, label=label, zones=zones)
        store.save(record, EventPhase.END)
        ids.insert(0, record.id)
    assert store.flush(DEADLINE_S)
    return ids


def ids_of(client: Client, query: str) -> list[str]:
    """The ids on a page."""
    return [one["id"] for one in client.get(f"/events?{query}")["events"]]


def test_pages_have_all_events_once_the_newest_first(site: Served) -> None:
    ids, found, after = fill(site.store), list[str](), ""
    while True:
        page = site.client.get(f"/events?limit=3{after}")
        found += [one["id"] for one in page["events"]]
        if page["next"] is None:
            break
        after = f"&after={quote(page['next'])}"
    assert found == ids
    assert site.client.get("/events?limit=10")["next"] is None


def test_an_event_has_the_documented_keys(site: Served) -> None:
    record = ended(text="a line", zones=("drive",), kind=EventKind.APPEAR)
    site.store.save(record, EventPhase.END)
    add_clip(site.store, record)
    assert site.store.flush(DEADLINE_S)
    found = site.client.get(f"/events/{record.id}")
    assert (found["start_time"], found["duration_s"], found["zones"]) == ("2026-11-26T12:00:00.000Z", 2.0, ["drive"])
    assert found["files"] == {
        "clip": f"/api/v1/events/{record.id}/clip.mp4", "annotated": None, "boxes": None, "snapshot": None, "crop": None
    }  # fmt: skip
    assert site.client.get("/events")["events"] == [found]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("camera=gate", [9, 7, 5, 3, 1]),
        ("camera=gate&camera=yard&limit=2", [9, 8]),
        ("camera=other", []),
        ("zone=lawn", [7, 4, 1]),
        ("zone=lawn&zone=drive&label=Car", [6, 4, 0]),
        ("since=2026-11-26T19:00:00Z", [9, 8, 7]),
        ("since=2026-11-26T20:00:00%2B01:00", [9, 8, 7]),
        ("since=2026-11-26T14:00:00&until=2026-11-26T16:00:00", [3, 2]),
        ("until=2026-11-26", []),
        ("favourite=true", [3]),
        ("favourite=false&kind=enter&rule=door&text=PERS", [9, 7, 5, 1]),
    ],
)
def test_filters_choose_events(site: Served, query: str, numbers: list[int]) -> None:
    ids = fill(site.store)[::-1]
    site.store.favourite([ids[3]], True)
    assert site.store.flush(DEADLINE_S)
    assert ids_of(site.client, query) == [ids[number] for number in numbers]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("after=x", "query.after: no place in the list; give 'next' of a page before"),
        ("after=1e999_01KB", "query.after: no place in the list; give 'next' of a page before"),
        ("since=0001-01-01", "query.since: the year is not in 1970..9998 (got '0001-01-01')"),
        ("kind=arrival", "query.kind.0: input should be 'crossing'"),
        ("limit=501", "query.limit: input should be less than or equal to 500"),
    ],
)
def test_a_wrong_filter_is_refused(site: Served, query: str, detail: str) -> None:
    answer = site.client("GET", f"/events?{query}")
    assert (answer.status, answer.json["detail"][: len(detail)]) == (422, detail)


def test_names_for_filters_are_those_of_the_events(site: Served) -> None:
    fill(site.store)
    assert site.client.get("/events/names") == {
        "cameras": ["gate", "yard"],
        "labels": ["Car", "Person"],
        "rules": ["door"],
        "zones": ["drive", "lawn"],
        "kinds": ["enter"],
    }


def test_the_timeline_counts_events_by_camera(site: Served) -> None:
    fill(site.store)
    found = site.client.get("/events/timeline?since=2026-11-26T12:00:00&until=2026-11-26T20:00:00&bins=4&zone=drive")
    assert found == {
        "since": "2026-11-26T12:00:00.000Z",
        "until": "2026-11-26T20:00:00.000Z",
        "bins": 4,
        "cameras": {"gate": [1, 1, 0, 1], "yard": [1, 0, 1, 1]},
    }
    assert site.client.get("/events/timeline")["bins"] == 96
    assert site.client("GET", "/events/timeline?since=2026-11-27&until=2026-11-26").status == 422


def test_a_favourite_is_on_the_disk_when_the_answer_comes(site: Served) -> None:
    ids = fill(site.store, 2)
    for value in (True, False):
        answer = site.client.send("PATCH", f"/events/{ids[0]}", {"favourite": value})
        assert (answer.status, answer.json["favourite"]) == (200, value)
        assert ids_of(site.client, "favourite=true") == ids[:1] * value


def test_a_deleted_event_is_gone_with_its_files(site: Served) -> None:
    record = ended()
    site.store.save(record, EventPhase.END)
    path = add_clip(site.store, record)
    assert site.store.flush(DEADLINE_S)
    answer = site.client("DELETE", f"/events/{record.id}")
    assert (answer.status, answer.content) == (204, b"")
    assert site.client("GET", f"/events/{record.id}").status == 404
    assert site.client("DELETE", f"/events/{record.id}").status == 404
    until(lambda: not path.exists())


def test_an_event_that_lasts_cannot_be_deleted(site: Served) -> None:
    record = event()
    site.store.save(record, EventPhase.START)
    assert site.store.flush(DEADLINE_S)
    answer = site.client("DELETE", f"/events/{record.id}")
    assert (answer.status, answer.json["detail"]) == (409, "the event lasts still; delete it when it has ended")


@pytest.mark.parametrize(
    "path", ["/events/x", "/events/%2e%2e%2fetc", f"/events/{'0' * 26}", f"/events/{'0' * 26}/clip.mp4"]
)
def test_an_unknown_event_is_told(site: Served, path: str) -> None:
    answer = site.client("GET", path)
    assert (answer.status, answer.json["detail"]) == (404, "there is no such event; it may have been deleted")


def test_a_store_that_is_not_open_yet_is_told(tmp_path: Path) -> None:
    with served_site(tmp_path, runs=False, store={"folder": str(tmp_path / "events")}) as (client, _):
        answers = [client("GET", path) for path in ("/events", "/events/names")]
    assert [(one.status, one.headers["Retry-After"]) for one in answers] == [(503, "1"), (503, "1")]


def test_a_site_without_a_store_has_an_empty_list_and_tells_the_remedy(tmp_path: Path) -> None:
    with served_site(tmp_path) as (client, _):
        assert client.get("/events") == {"events": [], "next": None, "stored": False}
        for method, path, value in (
            ("GET", "/events/names", None),
            ("GET", "/events/timeline", None),
            ("GET", "/events/x/clip.mp4", None),
            ("DELETE", "/events/x", None),
            ("PATCH", "/events/x", {"favourite": True}),
        ):
            answer: Any = client.send(method, path, value) if value else client(method, path)
            assert answer.status == 404
            assert "set store.folder" in answer.json["detail"]
