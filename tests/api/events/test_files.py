"""The files of events over HTTP: parts, downloads, and files that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.store.records import EventRecord
from streamer.values.events import EventPhase
from tests.api.served import Client
from tests.api.sites import Served, served_site
from tests.store.stores import DEADLINE_S, ended, event

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    store = {"folder": str(tmp_path / "events"), "keep_days": None, "min_free_gb": 0}
    with served_site(tmp_path, store=store) as site:
        yield site


@pytest.fixture
def stored(site: Served) -> EventRecord:
    """An event with all files."""
    record = ended(camera='front "door" ä')
    folder = site.store.folder / "gate" / "2026-11-26"
    folder.mkdir(parents=True)
    names = {
        "clip": ".mp4", "annotated": "-annotated.mp4", "boxes": ".boxes.json", "snapshot": ".jpg", "crop": "-crop.jpg"
    }  # fmt: skip
    for name in names.values():
        (folder / f"{record.id}{name}").write_bytes(CONTENT)
    site.store.save(record, EventPhase.END)
    paths = {field: f"gate/2026-11-26/{record.id}{name}" for field, name in names.items()}
    site.store.attach(record.id, **paths, bytes=5 * len(CONTENT))
    assert site.store.flush(DEADLINE_S)
    return record


def test_every_file_of_an_event_is_sent_with_its_type(site: Served, stored: EventRecord) -> None:
    urls = site.client.get(f"/events/{stored.id}")["files"]
    types = {}
    for field, url in urls.items():
        answer = site.client("GET", url, base="")
        assert (answer.status, answer.content) == (200, CONTENT)
        types[field] = answer.headers["Content-Type"]
    assert types == {
        "clip": "video/mp4", "annotated": "video/mp4", "boxes": "application/json", "snapshot": "image/jpeg",
        "crop": "image/jpeg",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, CONTENT[:10]),
        ("bytes=10000-", 206, CONTENT[10_000:]),
        ("bytes=-7", 206, CONTENT[-7:]),
        ("bytes=0-999999", 206, CONTENT),
    ],
)
def test_a_part_of_a_clip_is_sent(site: Served, stored: EventRecord, asked: str, status: int, part: bytes) -> None:
    answer = site.client("GET", f"/events/{stored.id}/clip.mp4", Range=asked)
    assert (answer.status, answer.content) == (status, part)
    assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=9-5", "bytes=x", "lines=1-2"])
def test_a_part_that_is_not_there_is_a_problem(site: Served, stored: EventRecord, asked: str) -> None:
    answer = site.client("GET", f"/events/{stored.id}/clip.mp4", Range=asked)
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */10240")
    assert answer.json["detail"].startswith("the file has 10,240 bytes")


def test_a_file_that_a_browser_has_is_not_sent_again(site: Served, stored: EventRecord) -> None:
    path = f"/events/{stored.id}/snapshot.jpg"
    first = site.client("HEAD", path)
    assert (first.status, first.headers["Content-Length"], first.headers["Accept-Ranges"]) == (200, "10240", "bytes")
    assert site.client("GET", path, If_None_Match=first.headers["ETag"]).status == 304


def test_a_download_has_a_name_that_every_system_accepts(site: Served, stored: EventRecord) -> None:
    answer = site.client("GET", f"/events/{stored.id}/clip.mp4?download=true")
    name = "front-door-_2026-11-26T12-00-00Z_enter_clip.mp4"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_a_file_that_was_deleted_is_told(site: Served, stored: EventRecord) -> None:
    (site.store.folder / "gate" / "2026-11-26" / f"{stored.id}.mp4").unlink()
    assert detail(site.client, f"/events/{stored.id}/clip.mp4").startswith("clip.mp4 is gone: gate/2026-11-26/")


def test_a_file_that_was_never_made_is_told_with_the_reason(site: Served) -> None:
    lasting, without = event(), ended(clip_note="no keyframe in 5 s")
    for record, phase in ((lasting, EventPhase.START), (without, EventPhase.END)):
        site.store.save(record, phase)
    site.store.attach(without.id, clip_note="no keyframe in 5 s")
    assert site.store.flush(DEADLINE_S)
    assert detail(site.client, f"/events/{lasting.id}/crop.jpg") == "the event has no crop.jpg yet"
    assert detail(site.client, f"/events/{without.id}/clip.mp4") == "the event has no clip.mp4: no keyframe in 5 s"


def test_a_path_that_leads_out_of_the_store_is_not_sent(site: Served, tmp_path: Path) -> None:
    """Not even one in the database, which another program may have written."""
    (tmp_path / "secret.mp4").write_bytes(CONTENT)
    record = ended()
    site.store.save(record, EventPhase.END)
    site.store.attach(record.id, clip="../secret.mp4", snapshot=str(tmp_path / "secret.mp4"))
    assert site.store.flush(DEADLINE_S)
    for name in ("clip.mp4", "snapshot.jpg"):
        assert "is gone" in detail(site.client, f"/events/{record.id}/{name}")


def detail(client: Client, path: str) -> str:
    """Why there is no such file."""
    answer = client("GET", path)
    assert answer.status == 404
    return str(answer.json["detail"])
