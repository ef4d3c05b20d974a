"""`evaluate streaming --shared`: several streams, one detector, one simulated clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.cli.evaluate import sequences as command
from streamer.evaluation.sequences import Sequence
from streamer.evaluation.streaming.evaluate import Task, evaluate
from streamer.evaluation.streaming.evaluate_shared import SharedResult, SharedTask, evaluate_shared, read_streams
from tests.cli.program import Program, exit_code
from tests.evaluation.made import detection_rows, truth_rows, write_sequence

FRAMES = 100


def fast_rows(rows: list[str]) -> list[str]:
    """The same people, who turn every second: 12 px per frame to and fro."""
    changed = []
    for row in rows:
        cells = row.split(",")
        phase = (int(cells[0]) - 1) % 20
        cells[2] = str(50 + 12 * min(phase, 20 - phase))
        changed.append(",".join(cells))
    return changed


def still_rows(rows: list[str]) -> list[str]:
    return [",".join([*row.split(",")[:2], "50", *row.split(",")[3:]]) for row in rows]


def busy(folder: Path) -> Path:
    truth, found = fast_rows(truth_rows(frames=FRAMES)), fast_rows(detection_rows(frames=FRAMES))
    return write_sequence(folder, truth=truth, detections=found, frames=FRAMES)


def quiet(folder: Path, fps: str = "10") -> Path:
    truth, found = still_rows(truth_rows(frames=FRAMES)), still_rows(detection_rows(frames=FRAMES))
    return write_sequence(folder, truth=truth, detections=found, frames=FRAMES, fps=fps)


def run(
    *folders: Path, latency: str = "0.1", overlay: str = "now", max_age_s: float | None = None
) -> list[SharedResult]:
    """The results with `gain` and with `round_robin`."""
    task = SharedTask(Task((latency,), (overlay,), "cascade"), ("gain", "round_robin"), max_age_s)
    return list(evaluate_shared(read_streams(folders), task))


@pytest.mark.parametrize("overlay", ["now", "detected", "delayed"])
@pytest.mark.parametrize("latency", ["0", "0.25", "0.3"])
def test_one_stream_has_the_scores_of_a_detector_of_its_own(tmp_path: Path, overlay: str, latency: str) -> None:
    folder = busy(tmp_path / "walk")
    alone = evaluate(Sequence.read(folder), Task((latency,), (overlay,), "cascade"))
    for result in run(folder, latency=latency, overlay=overlay):
        assert result.streams[0].scores == alone.by_latency[latency][overlay]


def test_gain_gives_more_detections_to_the_stream_that_moves(tmp_path: Path) -> None:
    folders = [busy(tmp_path / "busy"), *(quiet(tmp_path / f"quiet{number}") for number in range(5))]
    gain, round_robin = run(*folders)
    assert gain.streams[0].detections > 1.5 * round_robin.streams[0].detections
    assert gain.streams[0].scores.f1 > round_robin.streams[0].scores.f1 + 5
    for one, other in zip(gain.streams[1:], round_robin.streams[1:], strict=True):
        assert one.scores.f1 > other.scores.f1 - 1
    assert sum(one.detections for one in gain.streams) == sum(one.detections for one in round_robin.streams)
    assert max(one.longest_wait_s for one in gain.streams) <= gain.max_age_s


def test_each_stream_in_turn_waits_for_one_round(tmp_path: Path) -> None:
    _, round_robin = run(*(quiet(tmp_path / name) for name in "abcd"))
    assert {round(one.longest_wait_s, 6) for one in round_robin.streams} == {0.4}
    assert {one.detections for one in round_robin.streams} <= {25, 26}


def test_no_stream_waits_longer_than_the_bound(tmp_path: Path) -> None:
    folders = [busy(tmp_path / "busy"), *(quiet(tmp_path / f"quiet{number}") for number in range(5))]
    gain, _ = run(*folders, max_age_s=0.9)
    assert gain.max_age_s == 0.9
    assert max(one.longest_wait_s for one in gain.streams) <= 0.9


def test_the_bound_grows_with_the_number_of_streams(tmp_path: Path) -> None:
    gain, _ = run(*(quiet(tmp_path / name) for name in "abcd"), latency="0.5")
    assert gain.max_age_s == 4.0


def test_streams_may_differ_in_rate_and_length_and_repeat(tmp_path: Path) -> None:
    folders = [busy(tmp_path / "busy"), quiet(tmp_path / "fast", fps="30"), busy(tmp_path / "again" / "busy")]
    gain, _ = run(folders[0], folders[1], folders[0], folders[2])
    assert [one.name for one in gain.streams] == ["busy", "fast", "busy (2)", "busy (3)"]
    assert [one.frames for one in gain.streams] == [FRAMES] * 4


def test_a_stream_without_boxes_has_no_age(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "empty", detections=[])
    gain, _ = run(folder)
    assert gain.to_dict()["streams"]["empty"]["age_p50_s"] is None


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_the_command_prints_a_table_and_writes_json_and_boxes(program: Program) -> None:
    quiet(program.folder / "one")
    busy(program.folder / "two")
    options = ["--shared", "--latency", "0.1", "--policy", "gain,round_robin"]
    files = ["--json", "scores.json", "--shown", "shown"]
    result = program("evaluate", "streaming", "one", "two", "one", *options, *files)
    assert (result.code, result.errors) == (0, "")
    lines = [line.split() for line in result.output.splitlines() if line.strip()]
    assert lines[0][-8:] == ["policy", "F1", "age", "p50", "s", "p95", "s", "detections", "wait", "s"][-8:]
    assert [line[0] for line in lines[1:9]] == [
        "one",
        "round_robin",
        "two",
        "round_robin",
        "one",
        "round_robin",
        "all",
        "round_robin",
    ]
    runs = json.loads((program.folder / "scores.json").read_text())["runs"]
    assert [(one["policy"], one["overlay"], one["latency_s"], one["max_age_s"]) for one in runs] == [
        ("gain", "now", 0.1, 2.0),
        ("round_robin", "now", 0.1, 2.0),
    ]
    assert list(runs[0]["streams"]) == ["one", "two", "one (2)"]
    assert f"{runs[1]['streams']['two']['F1']:.2f}" in result.output
    written = sorted(path.relative_to(program.folder / "shown") for path in (program.folder / "shown").glob("*/*.txt"))
    assert [str(path) for path in written][:3] == [f"gain-now-0.1/{name}.txt" for name in ("one (2)", "one", "two")]


def streaming(*folders: Path, **options: Any) -> int:
    return exit_code(command.streaming, list(folders), **{"latency": "0.1", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shared": True, "policy": "gian"}, "--policy: no policy 'gian'; did you mean gain?"),
        ({"shared": True, "policy": ","}, "--policy needs at least one value"),
        ({"shared": True, "max_age": 0.15}, "--max-age 0.15 cannot be kept: 2 streams x 0.1 s are 0.2 s"),
        ({"shared": True, "max_age": float("nan")}, "--max-age nan cannot be kept"),
        ({"shared": True, "plot": Path("plot.png")}, "leave out --shared"),
        ({"policy": "gain"}, "add --shared"),
        ({"max_age": 1.0}, "add --shared"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = quiet(tmp_path / "one")
    assert streaming(folder, folder if options.get("shared") else quiet(tmp_path / "two"), **options) == 2
    assert message in " ".join(capsys.readouterr().err.split())
