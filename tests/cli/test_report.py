"""What a person reads: where results go, the report at 80 columns, one logical line each in a log."""

from __future__ import annotations

import io
import logging
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from rich.console import Console

from streamer.cli import report_text
from streamer.cli.progress import live_status
from streamer.cli.terminal import Terminal
from streamer.flow.stats import RunStats
from streamer.observe.report import Report
from streamer.run.session import NO_VIDEO
from streamer.system.secrets import SECRETS
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tests.cli.program import Program
from tests.clips import write_video
from tests.sinks.scenes import tracks as sample_tracks

LONG_CAUSE = "no such thing in a container of this kind, which has been damaged on its way here or before"
NOTE = "yuvj420p in full range is encoded as yuv420p in limited range, which browsers and phones show; set pixel_format"


@pytest.fixture
def clip(program: Program) -> Path:
    (program.folder / "det.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n")
    return write_video(program.folder / "clip.mp4", frames=30)


def messages(program: Program, *arguments: str) -> tuple[list[str], list[str]]:
    """Lines of messages and of the report."""
    result = program("run", "clip.mp4", "--detector", "det.txt", *arguments, columns=80)
    assert result.code == 0, result.errors
    return result.errors.splitlines(), result.output.splitlines()


@pytest.mark.usefixtures("clip")
def test_files_are_named_at_the_start_and_at_the_end(program: Program) -> None:
    start, end = messages(program, "-o", "out.mp4", "--jsonl", "out.jsonl", "--report", "report.json")
    assert start == [
        "using detections of det.txt", "writing out.mp4", "writing out.jsonl", "writing report.json",
    ]  # fmt: skip
    assert end[-2:] == ["written: out.mp4", "written: out.jsonl"]


@pytest.mark.usefixtures("clip")
def test_data_alone_is_said_to_write_no_video(program: Program) -> None:
    start, end = messages(program, "--jsonl", "out.jsonl", "--report", "report.json")
    assert start[-1] == NO_VIDEO
    assert NO_VIDEO not in end
    assert program.report()["notes"] == []
    assert NO_VIDEO not in messages(program, "-o", "out.mp4")[0]


@pytest.mark.usefixtures("clip")
def test_addresses_and_recordings_are_named(program: Program) -> None:
    outputs = ["-o", "rec/part-%S.mp4", "--set", "output.segment_s=0.4", "-o", "http://me:swordfish@127.0.0.1:0/cam"]
    outputs += ["-o", "udp://127.0.0.1:9", "--metrics", ":0", "--report", "report.json"]
    start, end = messages(program, *outputs)
    page = next(line for line in start if line.startswith("view at "))
    assert re.fullmatch(r"view at http://127\.0\.0\.1:\d+/cam/", page)
    assert "recording to rec/part-%S.mp4, a new file every 0.4 s" in start
    assert "publishing to udp://127.0.0.1:9" in start
    assert any(re.fullmatch(r"metrics at http://127\.0\.0\.1:\d+/metrics", line) for line in start)
    assert {f"ended: {page}", "ended: publishing to udp://127.0.0.1:9"} <= set(end)
    files = program.report()["outputs"]
    assert len(files) == 3
    assert [line for line in end if line.startswith("written: ")] == [f"written: {name}" for name in files]
    assert all((program.folder / name).exists() for name in files)
    assert "swordfish" not in "".join(start + end)


@pytest.mark.usefixtures("clip")
def test_a_recorded_run_names_its_folder_and_its_command(program: Program) -> None:
    start, _ = messages(program, "--live", "--record", "kept", "-o", "out.mp4")
    assert "recording the run in kept; 'streamer replay kept' repeats it" in start
    replayed = program("replay", "kept", "-o", "again.mp4", columns=80)
    assert re.search(r"detect .* recorded\b", replayed.output)
    assert "100%" not in replayed.output
    assert not re.search(r"\d{4}%", replayed.output)
    assert not re.search(r"detect.*bottleneck", replayed.output)


def test_many_files_are_shortened() -> None:
    report = Report("clip.mp4", "using x", "complete", RunStats(), outputs=[f"{n}.mp4" for n in range(20)])
    shown = report_text.destinations(report)
    assert len(shown) == report_text.MOST_FILES
    assert shown[0] == "written: 0.mp4"
    assert shown[-1] == "written: 19.mp4"
    assert "written: 15 more files" in shown


def full_report() -> Report:
    stats = RunStats()
    stats.ledger.enter(1_000_000)
    stats.ledger.settle(FrameState.DETECTED, frames=900_000)
    for state in (FrameState.LOST, FrameState.DROPPED, FrameState.CORRUPT):
        stats.ledger.settle(state, f"{state}: {LONG_CAUSE}", 20_000)
    stats.ledger.settle(FrameState.PREDICTED, frames=40_000)
    stats.wall_s, stats.shown = 10_000.0, 940_000
    for stage in ("decode", "detect", "track", "draw", "encode", "publish", "record", "mjpeg"):
        stats.add_time(stage, 1234.5)
        stats.add_age(stage, 1.5)
    stats.count("reconnect", LONG_CAUSE, 3)
    table = LabelTable(tuple(f"A class with a long name {n}" for n in range(12)))
    labels = np.repeat(np.arange(12, dtype=np.int32), np.arange(1000, 1012))
    shown = replace(sample_tracks(len(labels)), labels=labels)
    stats.tracks.add(shown, table, Frame(av.VideoFrame(4, 4), 0, 0, Fraction(1, 25), 0.0))
    return Report(
        "clip.mp4", "using x", "complete", stats, ["out.mp4"], [NOTE, NOTE], remarks=["ended: view at http://h/"]
    )


def shown(report: Report, *, terminal: bool, columns: int = 80) -> str:
    written = io.StringIO()
    to = Terminal()
    to.output = Console(file=written, force_terminal=terminal, width=columns, color_system=None, highlight=False)
    to.report(report)
    return written.getvalue()


def test_the_report_fits_80_columns_on_a_terminal() -> None:
    lines = shown(full_report(), terminal=True).splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert f"20000 lost (lost: {LONG_CAUSE})" in text
    assert text.count(NOTE) == 1


def test_a_line_of_the_report_is_one_line_in_a_log() -> None:
    lines = shown(full_report(), terminal=False).splitlines()
    for start in ("complete: ", "frames: ", "age of the frames", "other counts: ", "tracks: ", "note: ", "written: "):
        assert sum(line.startswith(start) for line in lines) == 1
    assert not [line for line in lines if line.startswith("  ")]


def test_a_warning_is_not_repeated_as_a_note_on_the_same_screen(capsys: pytest.CaptureFixture[str]) -> None:
    to, written = Terminal(), io.StringIO()
    to.messages = to.output = Console(file=written, force_terminal=True, width=80, color_system=None)
    for handler in logging.getLogger().handlers:
        handler._console = to.messages  # type: ignore[attr-defined]
    logging.getLogger("streamer.test").warning("out.mp4: %s", NOTE)
    to.report(full_report())
    assert " ".join(written.getvalue().split()).count(NOTE[:40]) == 1
    assert capsys.readouterr().err == ""


def test_names_of_files_are_exact_whatever_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SECRETS, "_anywhere", re.compile("swordfish"))
    report = Report("x", "using x", "complete", RunStats(), ["rec/swordfish.mp4"], ["refused: swordfish"])
    assert "written: rec/swordfish.mp4" in shown(report, terminal=False)
    assert "note: refused: ***" in shown(report, terminal=False)


def test_the_status_line_fits_80_columns() -> None:
    stats = RunStats()
    stats.add_age("shown", 12.5)
    stats.ledger.enter(99_999)
    for state in (FrameState.DROPPED, FrameState.CORRUPT, FrameState.LOST):
        stats.ledger.settle(state, "cause", 12_345)
    stats.count("reconnect", "ended", 1234)
    stats.count("skipped", "encode", 123_456)
    text = live_status.line(stats, 1234.5, 1234.5)
    assert len(text) > 78
    fits = live_status.fitting(text, 78)
    assert len(fits) <= 78
    assert fits.endswith(" …")
    assert fits.startswith("1234.5 fps shown · 1234.5 detected")
    assert live_status.fitting("short", 78) == "short"
