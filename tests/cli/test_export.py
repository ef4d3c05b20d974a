"""`streamer export`: a time span of a recording on the command line."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streamer.cli.program import app
from streamer.config.events import StoreSettings
from streamer.store.event_store import EventStore
from tests.clips import read_number
from tests.sinks.making import recording_sink
from tests.sinks.scenes import decoded
from tests.sinks.segments.test_recording import INFO, shown

BEGAN = datetime(2026, 3, 1, 8, 30)
FPS = 25


def record_site(folder: Path) -> None:
    """Two cameras: `gate` has ten seconds from 8:30:00 on in files of two seconds, `door` two."""
    with EventStore(StoreSettings(folder=folder / "events")) as store:
        for camera, count in (("gate", 250), ("door", 50)):
            sink = recording_sink(
                folder / f"{camera}-%Y%m%d.mp4", INFO, reserve_bytes=0, segment_s=2.0, options={"g": "10"},
                recorded=partial(store.record_file, camera),
            )  # fmt: skip
            with sink:
                for number in range(count):
                    scene = shown(number)
                    arrived = BEGAN.timestamp() + number / FPS
                    sink.write(replace(scene, frame=replace(scene.frame, arrival_wall_clock_s=arrived)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    record_site(folder)
    return folder


def run(site: Path, *arguments: str, store: Sequence[str] | None = None) -> Result:
    given = ["--store", str(site / "events")] if store is None else store
    return CliRunner().invoke(app, ["export", *given, *arguments])


def test_a_span_of_a_camera_becomes_a_file(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    result = run(site, "--camera", "gate", "--from", "2026-03-01 8:30:03", "--to", "8:30:07", "-o", str(out))
    assert result.exit_code == 0, result.output
    assert re.fullmatch(rf"{re.escape(str(out))}: 4\.\d s from 2026-03-01 08:30:02\.8, \d+ KB\n", result.stdout)
    assert "begins 0.2 s early, at the keyframe before that time" in result.stderr
    assert [read_number(frame) for frame in decoded(out)][:100] == list(range(70, 170))


def test_the_file_has_the_name_of_the_camera_and_the_begin(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(site, "--camera", "door", "--from", "2026-03-01 8:29:50", "--to", "8:30:20", "-q")
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["door-20260301-082950.mp4"]
    assert result.stderr == ""


def test_the_name_of_a_camera_that_is_an_address_becomes_a_plain_file_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_site(tmp_path)
    with closing(sqlite3.connect(tmp_path / "events" / "events.db")) as connection, connection:
        connection.execute("UPDATE recordings SET camera = 'rtsp://10.0.0.5/door' WHERE camera = 'door'")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    camera = ("--camera", "rtsp://10.0.0.5/door")
    result = run(tmp_path, *camera, "--from", "2026-03-01 8:29:50", "--to", "8:30:20", "-q")
    assert result.exit_code == 0, result.output
    assert [path.name for path in Path().iterdir()] == ["rtsp10.0.0.5door-20260301-082950.mp4"]


def test_times_without_a_recording_are_told(site: Path, tmp_path: Path) -> None:
    result = run(
        site, "--camera", "gate", "--from", "2026-03-01 8:29:50", "--to", "8:30:20", "-o", str(tmp_path / "out.mp4")
    )
    assert result.exit_code == 0, result.output
    assert "no recording from 2026-03-01 08:29:50 to 2026-03-01 08:30:00 (10 s): left out" in result.stderr
    assert "no recording from 2026-03-01 08:30:10 to 2026-03-01 08:30:20 (10 s): left out" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--camera", "gate", "--from", "2026-03-02"], "no recording of gate from 2026-03-02 00:00:00 to "),
        (["--camera", "gatr", "--from", "2026-03-01"], "no recording of a camera 'gatr'; did you mean gate?"),
        (["--from", "2026-03-01"], "pass --camera: door, gate"),
        (["--camera", "gate", "--from", "2026-03-01 9:00", "--to", "2026-03-01 8:00"], "--to is 2026-03-01 08:00:00"),
        (["--camera", "gate", "--from", "3026-03-01"], "--from is 3026-03-01 00:00:00, which is not past"),
        (["--camera", "gate", "--from", "noon"], "'noon' is no time; write '2026-11-26 10:15'"),
        (["--camera", "gate", "--from", "2026-03-01 8:30", "-o", "no/folder/out.mp4"], "create it first"),
        (["--camera", "gate", "--from", "2026-03-01 8:30", "-o", "out.txt"], "no video container has that suffix"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(site: Path, arguments: list[str], message: str) -> None:
    result = run(site, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_recording_without_a_store_is_found_by_its_names(site: Path, tmp_path: Path) -> None:
    named = tmp_path / "front-20260301-083000.mp4"
    named.write_bytes(next(site.glob("door-*.mp4")).read_bytes())
    pattern, out = str(tmp_path / "front-%Y%m%d-%H%M%S.mp4"), tmp_path / "out.mp4"
    result = run(site, "--recordings", pattern, "--from", "2026-03-01 8:30", "--to", "8:31", "-o", str(out), store=())
    assert result.exit_code == 0, result.output
    assert [read_number(frame) for frame in decoded(out)] == list(range(50))


def test_a_folder_without_a_store_is_refused(site: Path) -> None:
    result = run(site, "--from", "2026-03-01", store=())
    assert (result.exit_code, "give the folder with --store DIR or --config FILE" in result.stderr) == (2, True)
    result = run(site, "--from", "2026-03-01", store=("--store", str(site / "missing")))
    assert (result.exit_code, "has no events (events.db)" in result.stderr) == (2, True)


def test_a_recorded_file_that_somebody_deleted_is_a_gap_and_forgotten(tmp_path: Path) -> None:
    record_site(tmp_path)
    next(tmp_path.glob("gate-*-2.mp4")).unlink()  # the second one, from 8:30:02 on
    span = ["--camera", "gate", "--from", "2026-03-01 8:30", "--to", "8:30:10", "-o", str(tmp_path / "out.mp4")]
    result = run(tmp_path, *span)
    assert result.exit_code == 0, result.output
    assert "no recording from 2026-03-01 08:30:02 to 2026-03-01 08:30:04 (2.0 s): left out" in result.stderr
    checked = CliRunner().invoke(app, ["events", "check", "--repair", "--store", str(tmp_path / "events")])
    assert checked.exit_code == 0, checked.output
    assert "1 recorded file missing, such as" in checked.stdout
    checked = CliRunner().invoke(app, ["events", "check", "--store", str(tmp_path / "events")])
    assert (checked.exit_code, "recorded file" in checked.stdout) == (0, False)


def test_one_of_several_recordings_is_chosen_by_its_names(tmp_path: Path) -> None:
    record_site(tmp_path)
    with EventStore(StoreSettings(folder=tmp_path / "events")) as store:
        other = tmp_path / "plain-%Y%m%d.mp4"
        note = partial(store.record_file, "gate")
        with recording_sink(other, INFO, reserve_bytes=0, now=lambda: BEGAN, recorded=note) as sink:
            for number in range(25):
                sink.write(shown(number))
    span = ["--camera", "gate", "--from", "2026-03-01 8:30", "--to", "8:31", "-o", str(tmp_path / "out.mp4")]
    result = run(tmp_path, *span)
    assert (result.exit_code, "gate has several recordings; pass --recordings" in result.stderr) == (2, True)
    result = run(tmp_path, *span, "--recordings", str(other))
    assert result.exit_code == 0, result.output
    assert [read_number(frame) for frame in decoded(tmp_path / "out.mp4")] == list(range(25))
