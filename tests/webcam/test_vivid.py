"""Cameras through a real V4L2 driver, in a virtual machine: opt-in, because it downloads a kernel and takes minutes.

    STREAMER_WEBCAM_VM=1 .venv/bin/pytest tests/webcam

`STREAMER_WEBCAM_VM_DIR` names a folder in which the kernel is kept for the next run.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest

from streamer.models import listing
from tests.webcam.virtual_machine import PACKAGES, TOOLS, VirtualMachine

Facts = dict[str, Any]

_MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.elsewhere,
    pytest.mark.skipif(os.environ.get("STREAMER_WEBCAM_VM") != "1", reason="set STREAMER_WEBCAM_VM=1 to run it"),
    pytest.mark.skipif(bool(_MISSING), reason=f"without {', '.join(_MISSING)}; on Debian: apt-get install {PACKAGES}"),
]
BARS = [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [0, 0, 0]]
"""Colours of the driver (`tpg_colors`, 75% bars)."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> VirtualMachine:
    folder = os.environ.get("STREAMER_WEBCAM_VM_DIR")
    return VirtualMachine(Path(folder) if folder else tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def results(machine: VirtualMachine, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    out = tmp_path_factory.mktemp("results")
    status = machine.run(["python", "-m", "tests.webcam.exercise", "/run/out/results.json"], out)
    assert status == 0, (out / "stderr").read_text()
    found: Facts = json.loads((out / "results.json").read_text())
    return found


def step(results: Facts, name: str) -> Facts:
    facts: Facts = results[name]
    assert "failed" not in facts, facts["failed"]
    return facts


def test_the_list_has_the_camera_but_not_its_other_nodes(results: Facts) -> None:
    facts = step(results, "listed")
    (camera,) = facts["cameras"]
    assert (camera["index"], camera["path"], camera["driver"]) == (0, "/dev/video0", "vivid")
    offered = {(mode["pixel_format"], mode["width"], mode["height"]): mode["rates_fps"] for mode in camera["modes"]}
    assert offered["YUYV", 640, 480][:3] == ["25", "15", "25/2"]
    assert ("NV12", 1280, 720) in offered
    assert facts["lines"][0] == "camera:0  vivid (/dev/video0, vivid, platform:vivid-000)"
    assert "    640x480 at 25, 15, 12.5, 10, 5, 4, 2, 1 fps" in facts["lines"]


def test_frames_have_increasing_times_at_the_requested_rate(results: Facts) -> None:
    facts = step(results, "captured")
    assert facts["info"] == [640, 480, "yuyv422"]
    assert facts["fps"] == "25"
    assert facts["live"]
    assert facts["jpeg_like"]
    assert len(facts["pts"]) == 60
    for times in (facts["pts"], facts["arrived_s"]):
        assert all(a < b for a, b in itertools.pairwise(times))
    assert statistics.median(b - a for a, b in itertools.pairwise(facts["pts"])) == pytest.approx(40_000, rel=0.02)
    assert statistics.median(facts["ages_s"]) < 0.04


def test_the_time_of_the_driver_is_used_if_it_is_plausible(results: Facts) -> None:
    facts = step(results, "clocks")
    # This driver's `end of frame` is later than the delivery of the frame.
    assert min(facts["end of frame"]["driver_minus_arrival_s"]) > 0.01
    assert facts["start of exposure"]["driver_minus_arrival_s"] == pytest.approx([0] * 19, abs=1e-6)
    assert 0 < facts["start of exposure"]["now_minus_driver_s"] < 0.08


def test_every_format_has_the_right_colours(results: Facts) -> None:
    facts = step(results, "formats")
    assert len(facts) == 10
    for name, found in facts.items():
        expected = BARS if name != "GREY" else [[luma] * 3 for luma in (191, 177, 150, 136, 55, 41, 14, 0)]
        for bar, colour in zip(found["bars"], expected, strict=True):
            assert bar == pytest.approx(colour, abs=5), name
    assert facts["YUYV"]["pixel_format"] == "yuyv422"
    assert facts["NV12"]["pixel_format"] == "nv12"


def test_the_mode_is_selected_and_kept(results: Facts) -> None:
    facts = step(results, "modes")
    assert facts["nothing"]["size"] == [640, 480]  # the largest near 720p that is smooth
    assert facts["720p"]["size"] == [1280, 720]
    assert facts["10 fps"]["fps"] == 10
    assert facts["nv12"]["pixel_format"] == "nv12"
    for found in facts.values():
        assert found["measured_fps"] == pytest.approx(found["fps"], rel=0.1)


def test_refusals_name_the_remedy(results: Facts) -> None:
    facts = step(results, "refused")
    for name, kind, parts in (
        ("missing", "SourceUnavailable", ("there is no /dev/video9", "cameras here: camera:0 (vivid)")),
        ("output", "SourceUnavailable", ("delivers no frames", "camera:0 (vivid)")),
        ("metadata", "SourceUnavailable", ("delivers no frames", "camera:0 (vivid)")),
        ("size", "SourceUnavailable", ("1000x700", "nearest: 1280x720", "probe cameras")),
        ("rate", "SourceUnavailable", ("60 fps", "nearest: 25 fps at 640x480")),
        ("format", "SourceUnavailable", ("MJPG", "YUYV")),
        ("busy", "SourceLost", ("another program is using it", "fuser -v /dev/video0")),
        ("permission", "SourceUnavailable", ("/dev/video0", "group video")),
    ):
        assert facts[name]["kind"] == kind, name
        for part in parts:
            assert part in facts[name]["message"], name
    assert "group video" in facts["permission lines"]["lines"][1]
    assert len(facts["permission lines"]["lines"]) == 2


def test_a_camera_that_stalls_does_not_block_the_reader(results: Facts) -> None:
    facts = step(results, "stalled")
    assert len(facts["waits_s"]) == 6
    assert facts["waits_s"] == pytest.approx([0.25] * 6, abs=0.1)
    assert facts["pictures"] == 11
    assert sum(facts["overruns"]) > 30  # 25 a second for at least 1.5 s
    assert facts["never"]["kind"] == facts["stopped"]["kind"] == "SourceLost"
    assert "no frame for 5 s" in facts["never"]["message"]
    assert facts["stopped"]["took_s"] < facts["never"]["took_s"] - 2


def test_a_reader_gets_a_fresh_frame_after_a_pause(results: Facts) -> None:
    facts = step(results, "paused")
    assert facts["age_s"] < 0.2
    assert facts["missed"] >= 20


def test_errors_of_the_driver(results: Facts) -> None:
    facts = step(results, "faulty")
    assert facts["damage"].count("camera error") == 1
    assert facts["damage"].count("") == 7
    assert facts["inject_vidioc_streamon_error"]["kind"] == "SourceLost"
    assert facts["inject_vidioc_reqbufs_error"]["kind"] == "SourceLost"
    assert facts["fatal"]["kind"] == "SourceLost"
    assert facts["after"]["kind"] == ""


def test_unplugged_and_plugged_in_again(results: Facts) -> None:
    facts = step(results, "unplugged")
    for name in ("disconnected", "removed"):
        assert facts[name]["kind"] == "SourceLost"
        assert facts[name]["took_s"] < 0.5
        assert "unplugged" in facts[name]["message"]
    assert facts["back"] == facts["replugged"] == 5
    assert facts["gone"]
    assert facts["again"]["kind"] == "SourceUnavailable"
    assert "no camera found" in facts["none"][0]
    assert facts["present"]


def test_connections_leave_no_descriptor(results: Facts) -> None:
    assert len(set(step(results, "leaks")["descriptors"])) == 1


def test_the_whole_program_reads_the_camera_and_reconnects(machine: VirtualMachine, tmp_path: Path) -> None:
    if listing.check("starter").state is not listing.State.READY:
        pytest.skip("without the starter's weights; streamer models fetch starter")
    status = machine.run(["python", "-m", "tests.webcam.program", str(Path.home())], tmp_path)
    assert status == 0, (tmp_path / "stderr").read_text()
    output = (tmp_path / "messages").read_text()
    assert json.loads((tmp_path / "program.json").read_text())["status"] == 143
    assert (tmp_path / "cameras.txt").read_text().startswith("camera:0  vivid")
    assert "Traceback" not in output
    assert "was unplugged; connecting again" in output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["frames"]["detected"] >= 1  # in emulation the model takes 20 s per frame
    frames = [json.loads(line) for line in (tmp_path / "frames.jsonl").read_text().splitlines()]
    assert all(a["time_s"] < b["time_s"] for a, b in itertools.pairwise(frames))
    assert {frame["segment"] for frame in frames} == {0, 1}
