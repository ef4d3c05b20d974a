"""The commands of the group `events`, on real stores."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from streamer.cli.events import commands, export
from streamer.store.event_store import EventStore
from streamer.store.records import EventRecord
from streamer.values.events import EventKind, EventPhase
from tests.cli.program import DEADLINE_S, Program, exit_code
from tests.store.stores import NOON, add_clip, ended, event, rows, settings


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a store with four events; the current folder, and a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    with EventStore(settings(tmp_path)) as opened:
        for record in events():
            opened.save(record, EventPhase.START)
            if record.label:
                add_clip(opened, record, 123_456)
    return tmp_path


def events() -> list[EventRecord]:
    crossing: dict[str, Any] = {"kind": EventKind.CROSSING, "rule": "gate", "direction": "in", "track": 4}
    return [
        ended(NOON, label="Person", track=1, zones=("door",), score=0.75),
        ended(NOON + 60, end_time=NOON + 60, label="Car", camera="yard", **crossing),
        ended(NOON + 120, end_time=NOON + 920, kind=EventKind.CAMERA_LOST, rule="camera", text="no data for 10 s"),
        event(NOON + 180, kind=EventKind.ABOVE, rule="queue", value=7),
    ]


def listed(capsys: pytest.CaptureFixture[str], **options: Any) -> list[dict[str, Any]]:
    """What `list --json` prints."""
    assert exit_code(commands.list_events, as_json=True, **options) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_list_fits_eighty_columns(store: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ARG001
    assert exit_code(commands.list_events) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3:] for line in lines[1:]] == [
        ["gate", "queue", "above", "7", "open"],
        ["gate", "camera", "camera", "lost", "13", "min"],
        ["yard", "gate", "crossing", "in", "Car", "123", "KB"],
        ["gate", "door", "enter", "Person", "2.0", "s", "123", "KB"],
    ]
    assert lines[0].split() == ["id", "start", "camera", "rule", "event", "class", "lasts", "files"]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        ({"camera": ["yard"]}, [60]),
        ({"rule": ["gate", "queue"]}, [180, 60]),
        ({"label": ["Person"]}, [0]),
        ({"kind": ["camera_lost", "enter"]}, [120, 0]),
        ({"since": "2026-11-26T12:01:00Z", "until": "2026-11-26T12:03:00Z"}, [120, 60]),
        ({"since": "2026-11-26T12:00:00Z", "limit": 1}, [180]),
        ({"favourite": True}, []),
        ({"until": "2000-01-01"}, []),
    ],
)
def test_options_choose_events(
    store: Path, options: dict[str, Any], starts: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    times = {record.start_time - NOON: record for record in events()}
    found = listed(capsys, store=store, **options)
    assert [one["kind"] for one in found] == [times[start].kind for start in starts]


def test_a_limit_is_said(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(commands.list_events, store=store, limit=2) == 0
    assert capsys.readouterr().err == "2 of 4 events; --limit shows more\n"
    assert exit_code(commands.list_events, store=store, since="2027-01-01") == 0
    assert capsys.readouterr().err == "no events\n"


def test_an_event_is_shown_with_its_files(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (whole,) = [one["id"] for one in listed(capsys, label=["Person"])]
    assert exit_code(commands.show, whole[-6:].lower(), store=store) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["id"], shown["class"], shown["score"], shown["zones"]) == (whole, "Person, track 1", "0.75", "door")
    assert Path(shown["clip"]) == store / "gate" / "2026-11-26" / f"{whole}.mp4"
    Path(shown["clip"]).unlink()
    assert exit_code(commands.show, whole, store=store) == 0
    assert f"{whole}.mp4 (missing)" in capsys.readouterr().out
    assert exit_code(commands.show, "zzzzzz", store=store) == 2
    assert "no event has the id zzzzzz; 'streamer events list' shows them" in capsys.readouterr().err


def test_events_are_deleted_with_yes_only(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (person,) = [one["id"] for one in listed(capsys, label=["Person"])]
    assert exit_code(commands.favourite, [person[-8:]], store=store) == 0
    assert exit_code(commands.delete, camera=["gate", "yard"], store=store) == 2
    assert "this deletes 2 events with 123 KB of files; add --yes" in capsys.readouterr().err
    assert len(rows(store, "SELECT 1 FROM events")) == 4
    assert exit_code(commands.delete, camera=["gate", "yard"], yes=True, store=store) == 0
    assert capsys.readouterr().out == "deleted 2 events with 123 KB of files\n"
    assert [one["kind"] for one in listed(capsys)] == ["above", "enter"]
    assert [path.stem for path in store.glob("*/*/*.mp4")] == [person]
    assert exit_code(commands.delete, [person], yes=True, store=store) == 0
    assert exit_code(commands.delete, kind=["above"], yes=True, store=store) == 0
    assert "no events to delete" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{}, {"events": ["AAAAAAAA"], "camera": ["gate"]}])
def test_deletion_needs_ids_or_options(
    store: Path, options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(commands.delete, yes=True, store=store, **options) == 2
    assert "give the ids of events, or options such as --camera and --until; not both" in capsys.readouterr().err


def test_favourites_are_marked(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [one["id"] for one in listed(capsys)]
    assert exit_code(commands.favourite, [ids[0], ids[2][-8:]], store=store) == 0
    assert capsys.readouterr().out == "2 favourites added\n"
    assert [one["id"] for one in listed(capsys, favourite=True)] == [ids[0], ids[2]]
    assert exit_code(commands.favourite, [ids[0]], off=True, store=store) == 0
    assert capsys.readouterr().out == "1 favourite removed\n"
    assert exit_code(commands.list_events, store=store) == 0
    marked = [line.endswith("*") for line in capsys.readouterr().out.splitlines()[1:]]
    assert marked == [False, False, True, False]


def test_events_are_exported_with_their_files(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, copies = tmp_path / "out.csv", tmp_path / "copies"
    assert exit_code(export.export, target, copies, store=store) == 0
    assert capsys.readouterr().err == "exported 4 events with 2 files\n"
    assert [line.split(",")[1] for line in target.read_text().splitlines()] == [
        "camera", "gate", "yard", "gate", "gate",
    ]  # fmt: skip
    assert {path.name for path in copies.glob("*/*/*")} == {path.name for path in store.glob("*/2026*/*.mp4")}
    assert exit_code(export.export, target, store=store) == 2
    assert "exists already" in capsys.readouterr().err
    assert exit_code(export.export, Path("out.xml"), store=store) == 2
    assert exit_code(export.export, store=store, kind=["above"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["value"], json.loads(line)["end_time"]) == (7, None)


def test_check_reports_and_mends(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next(store.glob("gate/*/*.mp4")).unlink()
    assert exit_code(commands.check, store=store) == 1
    captured = capsys.readouterr()
    assert "1 file of 1 event missing" in captured.out
    assert captured.err == "error: 1 problem found; --repair mends what it can\n"
    assert exit_code(commands.check, repair=True, store=store) == 0
    assert exit_code(commands.check, store=store) == 0


def test_the_store_is_that_of_the_settings(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (
        ("site.yaml", f"store: {{folder: {store}}}\ncameras: {{front: lavfi:testsrc}}\n"),
        ("run.yaml", f"store: {{folder: {store}}}\n"),
    ):
        (tmp_path / name).write_text(text)
        assert len(listed(capsys, config=tmp_path / name)) == 4
    (tmp_path / "none.yaml").write_text("tracker: {name: iou}\n")
    assert exit_code(commands.list_events, config=tmp_path / "none.yaml") == 2
    assert "store.folder is not set" in capsys.readouterr().err
    assert exit_code(commands.list_events, config=tmp_path / "run.yaml", store=store) == 2


def test_a_wrong_option_is_one_line(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(commands.list_events, kind=["entr"], store=store) == 2
    assert exit_code(commands.list_events, since="soon", store=store) == 2
    assert exit_code(commands.list_events, since="2026-11-26", until="2026-11-25 10:00", store=store) == 2
    assert exit_code(commands.list_events, limit=0, store=store) == 2
    assert exit_code(commands.list_events, store=store / "gate") == 2
    monkeypatch.chdir(store / "gate")
    assert exit_code(commands.list_events) == 2
    kind, since, until, limit, folder, here = capsys.readouterr().err.replace("\n  ", " ").splitlines()
    assert kind == "error: --kind: no kind 'entr'; did you mean enter?"
    assert since.startswith("error: 'soon' is no time; write '2026-11-26 10:15'")
    assert until == "error: --until is 2026-11-25 10:00:00, which is not after --since, 2026-11-26 00:00:00"
    assert limit == "error: --limit is 0; it is at least 1"
    assert folder.endswith("has no events (events.db); give the folder of a store")
    assert here.endswith("give the folder with --store DIR or --config FILE")


def test_events_are_found_by_what_they_began_with(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An `enter` that has ended is one event: `leave` finds none, also if it is in the log of alerts."""
    for kind, begins in (
        ("leave", "--kind enter"),
        ("dwell", "--kind enter"),
        ("normal", "--kind above, --kind below"),
        ("camera_back", "--kind camera_lost"),
    ):
        assert exit_code(commands.list_events, kind=[kind], store=store) == 2
        expected = f"error: --kind {kind}: events are found by what they began with; use {begins}\n"
        assert capsys.readouterr().err.replace("\n  ", " ") == expected


def test_a_name_that_no_event_has_is_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, expected in (
        ({"camera": ["gat"]}, "no events: none has the camera 'gat'; did you mean gate?"),
        ({"rule": ["xyz"], "camera": ["gate"]}, "no events: none has the rule 'xyz'"),
        ({"label": ["Vehicle"]}, "no events: none has the class 'Vehicle'"),
        ({"since": "2027-01-01"}, "no events"),
    ):
        for command in (commands.list_events, export.export):
            assert exit_code(command, store=store, **options) == 0
            captured = capsys.readouterr()
            assert captured.out == ""
            assert captured.err.startswith(expected)
    assert captured.err == "no events\n"


@pytest.mark.slow
def test_follow_prints_until_ctrl_c(program: Program) -> None:
    with EventStore(settings(program.folder)) as store:
        store.save(ended(camera="first"), EventPhase.END)
        assert store.flush()
        with program.start("events", "follow") as process:
            assert process.stdout is not None
            assert "first" in process.stdout.readline()
            assert "ended after 2.0 s" in process.stdout.readline()
            store.save(event(camera="second"), EventPhase.START)
            assert "second" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, errors) == (130, "interrupted\n")


@pytest.mark.slow
def test_follow_ends_when_its_reader_has_left(program: Program) -> None:
    with EventStore(settings(program.folder)) as store:
        store.save(ended(), EventPhase.END)
        assert store.flush()
        with program.start("events", "follow", "--json") as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["camera"] == "gate"
            process.stdout.close()
            assert process.wait(DEADLINE_S) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
