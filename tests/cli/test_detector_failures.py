"""A model that raises or hangs: a real graph that fails on one colour and loops on another."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import av
import psutil
import pytest

from tests.cli.program import DEADLINE_S, Program
from tests.cli.test_interrupts import wait_for_frames
from tests.detectors.tfhub import tiny_module

pytestmark = pytest.mark.slow
FRAMES = 20
RAISES, HANGS = "yellow", "magenta"
# The module hangs for certain. This is only the timeout of these tests.
SOON = ("--set", "detector.timeout_s=3")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    folder = tmp_path_factory.mktemp("module") / "tiny"
    return tiny_module.write(folder, raises_on=(255, 255, 0), hangs_on=(255, 0, 255))


def scene(*, raises: Sequence[int] = (), hangs: Sequence[int] = (), frames: int = FRAMES) -> str:
    """A red box on black; the given frames have a patch of a colour on which the module fails."""
    graph = f"color=black:size=96x64:rate=25,trim=end_frame={frames},format=rgb24,drawbox=8:8:40:40:red:fill"
    for colour, indexes in ((RAISES, raises), (HANGS, hangs)):
        if indexes:
            when = "+".join(f"eq(n,{index})" for index in indexes)
            graph += f",drawbox=60:40:20:20:{colour}:fill:enable='{when}'"
    return f"lavfi:{graph}"


def states(program: Program) -> list[str]:
    return [json.loads(line)["state"] for line in (program.folder / "frames.jsonl").read_text().splitlines()]


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def wait_for_hang(process: subprocess.Popen[str]) -> None:
    """Wait until more has been computed since the first frames than all other work takes: then the loop runs."""
    running = psutil.Process(process.pid)
    began_s = running.cpu_times().user
    while running.cpu_times().user < began_s + 1.5:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)


def test_frames_on_which_the_model_fails_are_shown_and_counted(program: Program, module: Path) -> None:
    outputs = ("-o", "out.mp4", "--jsonl", "frames.jsonl", "--report", "report.json")
    source = scene(raises=[0, 5, 19], hangs=[6, 12])
    result = program("run", source, "--detector", module, *outputs, *SOON, "--set", "detector.on_hang=restart")
    assert result.code == 0, result.errors
    lost = [0, 5, 6, 12, 19]
    assert states(program) == ["lost" if index in lost else "detected" for index in range(FRAMES)]
    assert frames_in(program.folder / "out.mp4") == FRAMES
    frames = program.report()["frames"]
    assert frames["lost"] == {"detector error": 3, "detector hung": 2}
    assert (frames["entered"], frames["detected"], frames["dropped"]) == (FRAMES, 15, {})
    assert program.report()["tracks_by_class"] == {"Car": 1}  # which lives on over the lost frames
    assert "3 lost (detector error), 2 lost (detector hung)" in result.output
    for line in (
        "frame 5 (0.200 s) is lost to detection: TensorFlow failed on a frame: assertion failed: [a colour that this",
        "frame 12 (0.480 s) is lost to detection",
    ):
        assert line in result.errors
    assert "Traceback" not in result.errors


def test_three_failures_in_a_row_end_the_run_with_the_models_message(program: Program, module: Path) -> None:
    result = program("run", scene(raises=[3, 4, 5]), "--detector", module, "-o", "out.mp4", "--report", "report.json")
    assert result.code == 1, result.errors
    assert [
        line
        for line in result.errors.splitlines()
        if line.startswith("error: TensorFlow failed on a frame: assertion failed")
    ]
    assert "Traceback" not in result.errors
    assert program.files() == {"report.json"}
    assert program.report()["state"] == "failed"
    assert program.report()["frames"]["lost"] == {"detector error": 3}


def test_a_hanging_model_ends_the_run_and_names_the_frame(program: Program, module: Path) -> None:
    result = program("run", scene(hangs=[4]), "--detector", module, "-o", "out.mp4", *SOON)
    assert result.code == 1, result.errors
    assert "error: the detector gave no answer for 3 s on frame 4 (0.160 s)" in result.errors
    assert "Traceback" not in result.errors
    assert program.files() == set()


def test_ctrl_c_does_not_wait_for_a_hanging_model(program: Program, module: Path) -> None:
    outputs = ("-o", "out.mp4", "--jsonl", "frames.jsonl", "--report", "report.json")
    source = scene(hangs=[40], frames=60)
    with program.start("run", source, "--detector", module, *outputs, "--set", "detector.timeout_s=100000") as process:
        wait_for_frames(program, process)
        wait_for_hang(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    shown = states(program)
    assert len(shown) == frames_in(program.folder / "out.mp4") == 40
    assert set(shown) == {"detected"}
    assert program.report()["state"] == "interrupted"
    assert program.files() == {"out.mp4", "frames.jsonl", "report.json"}
