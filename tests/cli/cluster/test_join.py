"""`run --plan`: the ordinary run with the detections of parts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer.cli.program import app
from tests.cli.program import DEADLINE_S, Program, Result
from tests.clips import write_video

FRAMES = 30
LONG_AGO_S = 1_700_000_000
JOIN = ("run", "clip.mp4", "--plan", "plan.json", "--parts-in", "parts", "-o", "out.mp4")


class InProcess(Program):
    """The program in this process, which starts faster."""

    def __call__(self, *arguments: str | Path, columns: int = 200) -> Result:  # noqa: ARG002
        """Run to the end."""
        with chdir(self.folder):
            done = CliRunner().invoke(app, [*map(str, arguments)])
        return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, its plan, its parts, and the outputs of a single run."""
    program = InProcess(tmp_path_factory.mktemp("job"))
    write_video(program.folder / "clip.mp4", frames=FRAMES, options={"g": "10"})
    boxes = [f"{frame},-1,{10 + frame},20,40,50,0.9,-1,-1,-1\n" for frame in range(1, FRAMES + 1)]
    (program.folder / "boxes.txt").write_text("".join(boxes))
    (program.folder / "parts").mkdir()
    given = ("--detector", "boxes.txt")
    assert program("plan", "clip.mp4", "--parts", "3", "-o", "plan.json", *given).code == 0
    for number in range(3):
        assert program("detect", "plan.json", "--part", str(number), "-o", "parts").code == 0
    assert program("run", "clip.mp4", *given, "-o", "single.mp4", "--jsonl", "single.jsonl").code == 0
    return program.folder


@pytest.fixture
def program(made: Path, tmp_path: Path) -> InProcess:
    folder = tmp_path / "job"
    shutil.copytree(made, folder)
    return InProcess(folder)


def test_the_join_is_the_single_run(program: Program) -> None:
    result = program(*JOIN, "--jsonl", "out.jsonl", "--report", "report.json")
    assert result.code == 0, result.errors
    for name in ("{}.mp4", "{}.jsonl"):
        out, single = (program.folder / name.format(which) for which in ("out", "single"))
        assert out.read_bytes() == single.read_bytes()
    assert "from parts: 30 frames\n" in result.output
    assert program.report()["counts"] == {"joined": FRAMES}
    assert not [name for name in program.files() if name.startswith(".") or "/." in name]


def test_parts_are_found_beside_the_plan(program: Program) -> None:
    for file in (program.folder / "parts").iterdir():
        file.rename(program.folder / file.name)
    result = program("run", "clip.mp4", "--plan", "plan.json", "-o", "out.mp4")
    assert (result.code, "from parts: 30 frames\n" in result.output) == (0, True)


def test_a_missing_part_is_detected_here_if_nobody_waits_for_it(program: Program) -> None:
    (program.folder / "parts/part-1.npz").unlink()
    result = program(*JOIN, "--wait-for", "0")
    assert result.code == 0, result.errors
    assert "from parts: 20 frames, 10 missing and detected here\n" in result.output
    assert "note: part 1 did not come; its frames were detected here\n" in result.output
    assert (program.folder / "out.mp4").read_bytes() == (program.folder / "single.mp4").read_bytes()


def test_a_join_says_that_the_folder_of_the_parts_does_not_exist(program: Program) -> None:
    arguments = [value if value != "parts" else "part" for value in JOIN]
    with program.start(*arguments, "--jsonl", "out.jsonl") as process:
        assert waiting_line(process) == "waiting for parts 0 to 2 of 3 in part, which does not exist yet\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)


def test_a_join_waits_for_a_part_and_says_which(program: Program) -> None:
    part = program.folder / "parts/part-2.npz"
    content = part.read_bytes()
    part.unlink()
    with program.start(*JOIN, "--jsonl", "out.jsonl") as process:
        line = waiting_line(process)
        assert line == "waiting for part 2 of 3 in parts\n"
        part.with_suffix(".copy").write_bytes(content)
        part.with_suffix(".copy").rename(part)
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, errors
    assert "waiting" not in errors
    assert "from parts: 30 frames\n" in output
    assert (program.folder / "out.jsonl").read_bytes() == (program.folder / "single.jsonl").read_bytes()


@pytest.mark.parametrize("missing", [0, 2])
def test_ctrl_c_ends_the_wait(program: Program, missing: int) -> None:
    (program.folder / f"parts/part-{missing}.npz").unlink()
    with program.start(*JOIN, "--jsonl", "out.jsonl") as process:
        waiting_line(process)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=DEADLINE_S)[1]
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not [name for name in program.files() if "partial" in name or name.endswith(".lock")]
    single, out = (program.folder / "single.jsonl").read_bytes(), program.folder / "out.jsonl"
    assert single.startswith(out.read_bytes()) if missing else not out.exists() or not out.read_bytes()


def test_a_second_join_into_the_same_output_is_refused(program: Program) -> None:
    (program.folder / "parts/part-2.npz").unlink()
    with program.start(*JOIN) as process:
        waiting_line(process)
        result = program(*JOIN, "--overwrite")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
    assert_refused(result.code, result.errors, "another run writes out.mp4 at this moment; choose another output")
    assert program(*JOIN, "--wait-for", "0", "--overwrite").code == 0


def nothing(folder: Path) -> None:
    del folder


def another_clip(folder: Path) -> None:
    write_video(folder / "other.mp4", frames=FRAMES, first_number=7)


def truncated(folder: Path) -> None:
    file = folder / "parts/part-1.npz"
    file.write_bytes(file.read_bytes()[:500])
    os.utime(file, (LONG_AGO_S, LONG_AGO_S))


def renamed(folder: Path) -> None:
    text = (folder / "plan.json").read_text()
    (folder / "other.json").write_text(text.replace('"frames": 30', '"frames": 31'))


PLAN = ("--plan", "plan.json", "--parts-in", "parts")
BAD: tuple[tuple[Callable[[Path], None], tuple[str, ...], str], ...] = (
    (another_clip, ("other.mp4", *PLAN), "other.mp4: is not the file of the plan"),
    (truncated, ("clip.mp4", *PLAN), "parts/part-1.npz is truncated or damaged; delete it"),
    (renamed, ("clip.mp4", "--plan", "other.json", "--parts-in", "parts"), "belongs to another plan"),
    (nothing, ("clip.mp4", *PLAN, "--detector", "starter"), "detector.name (--detector) is starter, but the plan"),
    (nothing, ("clip.mp4", *PLAN, "--live"), "leave out source.live (--live)"),
    (nothing, ("clip.mp4", *PLAN, "--set", "source.deinterlace=on"), "source.deinterlace is on, but the plan"),
    (nothing, ("clip.mp4", "--plan", "clip.mp4"), "clip.mp4: is no plan"),
    (nothing, ("clip.mp4", "--plan", "none.json"), "none.json: No such file"),
    (nothing, ("rtsp://127.0.0.1:9/x", *PLAN), "--plan joins the parts of a file"),
    (nothing, ("clip.mp4", "clip.mp4", "boxes.txt", *PLAN), "--plan and --cluster are for one file"),
    (nothing, ("clip.mp4", *PLAN, "--wait-for", "-1"), "--wait-for is a number of seconds from 0 on, not -1"),
    (nothing, ("clip.mp4", *PLAN, "--wait-for", "nan"), "--wait-for is a number of seconds from 0 on, not nan"),
    (nothing, ("clip.mp4", "--parts-in", "parts"), "--parts-in is for the parts of a plan; give --plan, too"),
    (nothing, ("clip.mp4", *PLAN[:2], "--parts-in", "clip.mp4"), "clip.mp4 is no folder"),
)


@pytest.mark.parametrize(("make", "arguments", "message"), BAD)
def test_bad_input_is_one_line(
    program: Program, make: Callable[[Path], None], arguments: tuple[str, ...], message: str
) -> None:
    make(program.folder)
    before = program.files()
    done = program("run", *arguments, "--jsonl", "out.jsonl", "-o", "out.mp4")
    assert_refused(done.code, done.errors, message)
    assert program.files() == before


def waiting_line(process: subprocess.Popen[str]) -> str:
    """The line that says what the join waits for."""
    assert process.stderr is not None
    for line in process.stderr:
        if "waiting for" in line:
            return line
    raise AssertionError("the join has not waited")


def assert_refused(code: int, errors: str, message: str) -> None:
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert (code, len(lines)) == (2, 1), errors
    assert message in lines[0]
    assert "Traceback" not in errors
