"""Lines and zones on the command line, with clips and recorded detections."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.cli.program import Program
from tests.clips import write_video

SIZE = (640, 360)
SECONDS = 10
TICKS = 12800
SPEEDS_PX_S = (30.0, 40.0, 50.0)
LINE, ZONE = "gate=0,0.5,1,0.5", "square=0.05,0.4,0.95,0.4,0.95,0.6,0.05,0.6"
COUNTING = ("--line", LINE, "--zone", ZONE, "--events", "events.jsonl", "--crossings", "crossings.csv", "--overwrite")


def steady(index: int) -> int:
    return index * TICKS // 25


def uneven(index: int) -> int:
    """Frames in pairs, 20 and 60 ms apart."""
    return (index * TICKS // 25) - (TICKS // 50 if index % 2 else 0)


def write_clip(folder: Path, pts_of: Callable[[int], int] = steady) -> Path:
    """A clip and its detections: two of three textured squares go down through the line, one goes up."""
    pts = [pts_of(index) for index in range(25 * SECONDS)]
    random = np.random.default_rng(7)
    ground, square = (random.integers(0, 256, (n // 8, m // 8, 3)) for n, m in ((360, 640), (80, 80)))
    background, texture = (np.kron(one, np.ones((8, 8, 1))).astype(np.uint8) for one in (ground // 4, square))
    clip = av.open(str(folder / "clip.mp4"), "w")
    video: Any = clip.add_stream("mpeg4", rate=25, options={"qscale": "4"})
    video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
    video.codec_context.time_base = video.time_base = Fraction(1, TICKS)
    with (folder / "seen.jsonl").open("w", encoding="utf-8") as seen:
        for one in pts:
            tracks, rgb = [], background.copy()
            for lane, speed_px_s in enumerate(SPEEDS_PX_S):
                y = 30 + speed_px_s * one / TICKS
                y1 = 360 - y if lane == 2 else y
                box = [100 + 180 * lane, y1 - 80, 180 + 180 * lane, y1]
                tracks.append({"label": "Person", "score": 0.9, "box": box})
                top, x = round(y1 - 80), 100 + 180 * lane
                if top > -80:
                    part = texture[max(-top, 0) :][: max(360 - max(top, 0), 0)]
                    rgb[max(top, 0) : max(top, 0) + len(part), x : x + 80] = part
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = one, Fraction(1, TICKS)
            clip.mux(video.encode(frame))
            seen.write(json.dumps({"pts": one, "tracks": tracks}) + "\n")
    clip.mux(video.encode(None))
    clip.close()
    return folder / "clip.mp4"


def events(program: Program) -> list[dict[str, Any]]:
    text = (program.folder / "events.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_crossings_are_written_and_reported(program: Program) -> None:
    clip = write_clip(program.folder)
    result = program("run", clip, "--detector", "seen.jsonl", *COUNTING, "--report", "report.json")
    assert result.code == 0, result.errors
    assert "line gate: 2 in, 1 out" in result.output
    assert "zone square: 3 entered, 3 left" in result.output
    report = program.report()
    assert report["lines"] == {"gate": {"in": 2, "out": 1}}
    assert report["zones"] == {"square": {"enter": 3, "leave": 3, "dwell": 0, "above": 0, "below": 0}}
    crossings = [event for event in events(program) if event["kind"] == "crossing"]
    assert sorted(event["time_s"] for event in crossings) == pytest.approx([3.0, 3.75, 5.0], abs=0.01)
    assert {(event["rule"], event["label"], event["camera"]) for event in crossings} == {("gate", "Person", "clip.mp4")}
    with (program.folder / "crossings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["direction"] for row in rows] == [event["direction"] for event in crossings]
    assert [float(row["time_s"]) for row in rows] == [event["time_s"] for event in crossings]


@pytest.mark.parametrize("pts_of", [steady, uneven], ids=["constant rate", "variable rate"])
def test_counts_do_not_depend_on_the_rate_of_detections(program: Program, pts_of: Callable[[int], int]) -> None:
    clip = write_clip(program.folder, pts_of)
    found: dict[str, Any] = {}
    for rate in ("10", "5", "2", "1"):
        result = program("run", clip, "--detector", "seen.jsonl", "--detect-fps", rate, *COUNTING)
        assert result.code == 0, result.errors
        found[rate] = events(program)
    for rate, written in found.items():
        counts = sorted((event["kind"], event.get("direction")) for event in written if event["kind"] == "crossing")
        assert counts == [("crossing", "in"), ("crossing", "in"), ("crossing", "out")], rate
        stays = sorted(event["inside_s"] for event in written if event["kind"] == "leave")
        assert stays == pytest.approx(sorted(e["inside_s"] for e in found["10"] if e["kind"] == "leave"), abs=0.2), rate


def test_a_live_source_is_counted(program: Program) -> None:
    clip = write_clip(program.folder)
    options = ("--detector", "seen.jsonl", "--latency", "0.15", *COUNTING)
    result = program("run", clip, *options)
    assert result.code == 0, result.errors
    assert "line gate: 2 in, 1 out" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--line", "0.2,0.5"), "--line 0.2,0.5: points: a line has at least two points, not 1"),
        (("--line", "gate=left"), "--line gate=left: give x,y of each point in 0..1, such as --line gate=0.2,0.5,"),
        (("--zone", "a=0,0,1,1,1,0,0,1"), "--zone a=0,0,1,1,1,0,0,1: points: the polygon crosses itself"),
        (("--line", "a=0,0,1,1", "--line", "a=0,1,1,0"), "two rules have the name 'a'"),
        (("--events", "e.jsonl"), "there is no rule to write events of; give analytics.lines (--line) or"),
        (
            ("--set", "analytics.lines=[{name: a, points: [[0, 0], [1, 1]], classes: [Perso]}]"),
            "analytics.lines.0.classes: ",
        ),
    ],
    ids=["one point", "no number", "crosses itself", "same name", "nothing to count", "unknown class"],
)
def test_rules_that_cannot_be_end_with_one_line(program: Program, options: tuple[str, ...], message: str) -> None:
    clip = write_video(program.folder / "clip.mp4", frames=3)
    (program.folder / "seen.jsonl").write_text('{"pts": 0, "tracks": []}\n')
    result = program("run", clip, "--csv", "boxes.csv", "--detector", "seen.jsonl", *options)
    assert result.code == 2
    assert message in result.errors
    assert "Traceback" not in result.errors
    assert not (program.folder / "boxes.csv").exists()
