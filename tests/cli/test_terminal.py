"""A run survives closed, full, broken and unread streams, and closed terminals."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import pytest

from tests.cli.program import DEADLINE_S, MAIN, Program, words_of
from tests.clips import write_video

ENDLESS = "lavfi:testsrc2=size=160x120:rate=25"
FRAMES = 12
RUN = ["run", "clip.mp4", "-o", "out.mp4", "--jsonl", "frames.jsonl", "--report", "report.json"]
REDIRECTIONS = [
    ">&- 2>&-",
    "<&- >&- 2>&-",
    ">/dev/full 2>/dev/full",
    ">&- 2>/dev/full",
    "</dev/null >/dev/null 2>&-",
]


@pytest.fixture
def clip(program: Program) -> Path:
    (program.folder / "det.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n")
    return write_video(program.folder / "clip.mp4", frames=FRAMES)


def run(program: Program, arguments: list[str], **options: Any) -> int:
    command = [sys.executable, str(MAIN), *arguments]
    return subprocess.run(command, cwd=program.folder, timeout=DEADLINE_S, check=False, **options).returncode


def run_redirected(program: Program, arguments: list[str], redirections: str) -> int:
    """The exit code with standard streams redirected by a shell."""
    command = ["/bin/sh", "-c", f'exec "$0" "$@" {redirections}', sys.executable, str(MAIN), *arguments]
    return subprocess.run(command, cwd=program.folder, timeout=DEADLINE_S, check=False).returncode


def check_complete(program: Program, frames: int = FRAMES) -> None:
    """All outputs are complete and have no other content."""
    with av.open(str(program.folder / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames
    lines = (program.folder / "frames.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(frames))
    assert program.report()["state"] == "complete"


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("redirections", REDIRECTIONS)
def test_closed_or_full_streams_do_not_matter(program: Program, redirections: str) -> None:
    # The starter's library writes to descriptor 2 from C++.
    assert run_redirected(program, [*RUN, "--detector", "starter"], redirections) == 0
    check_complete(program)


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("options", [[], ["--log-format", "json"], ["--quiet"]], ids=" ".join)
def test_a_closed_reader_does_not_matter(program: Program, options: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = run(program, [*RUN, "--detector", "det.txt", *options], stdout=writing, stderr=writing)
    os.close(writing)
    assert code == 0
    check_complete(program)


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("options", [[], ["--log-format", "json"]], ids=" ".join)
def test_a_stopped_reader_does_not_stop_the_run(program: Program, options: list[str]) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 512)
    os.set_blocking(writing, True)
    code = run(program, [*RUN, "--detector", "det.txt", *options], stdout=writing, stderr=writing)
    os.close(writing)
    os.close(reading)
    assert code == 0
    check_complete(program)


@pytest.mark.usefixtures("clip")
def test_a_failure_has_its_exit_code_without_streams(program: Program) -> None:
    for redirections in (">&- 2>&-", ">/dev/full 2>/dev/full"):
        assert run_redirected(program, ["run", "missing.mp4"], redirections) == 2
        assert run_redirected(program, ["run", "--no-such-option"], redirections) == 2
        assert run_redirected(program, ["probe", "missing.mp4"], redirections) == 2


@pytest.mark.usefixtures("clip")
def test_commands_that_write_files_need_no_streams(program: Program) -> None:
    track = ["track", "det.txt", "--fps", "25", "--size", "64x64", "-o", "tracks.txt"]
    evaluate = ["evaluate", "video", "clip.mp4", "--detector", "det.txt", "--json", "found.json"]
    assert run_redirected(program, track, ">&- 2>&-") == 0
    assert run_redirected(program, evaluate, ">&- 2>&-") == 0
    assert (program.folder / "tracks.txt").read_text().startswith("1,1,10.00,")
    assert json.loads((program.folder / "found.json").read_text())["frames"] == FRAMES


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("arguments", [["models", "list"], ["probe", "clip.mp4"], ["probe", "clip.mp4", "--json"]])
def test_a_printing_command_fails_only_if_its_result_is_lost(program: Program, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done: dict[str, tuple[int, bytes]] = {}
    for name, out in (("head", writing), ("full", os.open("/dev/full", os.O_WRONLY)), ("null", os.open(os.devnull, 1))):
        command = [sys.executable, str(MAIN), *arguments]
        ended = subprocess.run(
            command, cwd=program.folder, stdout=out, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False
        )
        done[name] = ended.returncode, ended.stderr
        os.close(out)
    assert done["head"] == done["null"] == (0, b"")
    assert done["full"] == (1, b"error: cannot write to standard output: No space left on device\n")
    assert run_redirected(program, arguments, ">&-") == 0


class Pseudoterminal:
    """The program on a pseudo-terminal."""

    def __init__(self, program: Program, *arguments: str, controls: bool) -> None:
        self._master, slave = os.openpty()
        self._program = program
        self.process = subprocess.Popen(
            words_of(*arguments),
            cwd=program.folder,
            env=os.environ | {"TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal if controls else None,
        )
        os.close(slave)

    def wait_for_growth(self) -> None:
        """Wait until the temporary JSON lines have grown; fail if the program ends first."""
        before = self._written()
        while self._written() < before + 4096:
            with pytest.raises(subprocess.TimeoutExpired):
                self.process.wait(0.02)

    def close(self) -> None:
        """Close the terminal."""
        os.close(self._master)

    def _written(self) -> int:
        return sum(path.stat().st_size for path in self._program.folder.glob(".frames.*.partial.jsonl"))


def _take_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


Terminals = Callable[..., Pseudoterminal]


@pytest.fixture
def on_terminal(program: Program) -> Iterator[Terminals]:
    """Runs the program on a pseudo-terminal and kills it after the test."""
    started: list[Pseudoterminal] = []

    def start(*arguments: str, controls: bool) -> Pseudoterminal:
        started.append(Pseudoterminal(program, *arguments, controls=controls))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


OUTPUTS = ["-o", "out.mp4", "--jsonl", "frames.jsonl", "--report", "report.json"]


@pytest.mark.parametrize("live", [[], ["--live"]], ids=["file", "live"])
def test_the_run_continues_after_its_terminal_is_closed(
    program: Program, on_terminal: Terminals, live: list[str]
) -> None:
    running = on_terminal("run", ENDLESS, *live, *OUTPUTS, controls=False)
    running.wait_for_growth()
    running.close()
    running.wait_for_growth()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(DEADLINE_S) == 143
    check_whole(program, live=bool(live))


def test_closing_the_terminal_of_a_session_completes_the_outputs(program: Program, on_terminal: Terminals) -> None:
    running = on_terminal("run", ENDLESS, *OUTPUTS, controls=True)
    running.wait_for_growth()
    running.close()
    assert running.process.wait(DEADLINE_S) == 129
    check_whole(program)


def check_whole(program: Program, *, live: bool = False) -> None:
    """The outputs of an interrupted run have the same frames, except in a live run, which may drop frames."""
    lines = [json.loads(line) for line in (program.folder / "frames.jsonl").read_text().splitlines()]
    with av.open(str(program.folder / "out.mp4")) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames > 0
    assert len(lines) > 0
    assert live or frames == len(lines)
    assert program.report()["state"] == "interrupted"
    assert program.files() == {"out.mp4", "frames.jsonl", "report.json"}


# Leads a session on the terminal at its standard input and runs its arguments in the background.
BACKGROUND = """
import fcntl, os, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
mode = termios.tcgetattr(0)
mode[3] |= termios.TOSTOP
termios.tcsetattr(0, termios.TCSANOW, mode)
job = subprocess.Popen(sys.argv[1:], process_group=0)
_, status = os.waitpid(job.pid, os.WUNTRACED)
if os.WIFSTOPPED(status):
    job.kill()
    sys.exit(99)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.usefixtures("clip")
def test_a_background_job_is_not_stopped_for_its_output(program: Program) -> None:
    master, slave = os.openpty()
    command = [sys.executable, "-c", BACKGROUND, sys.executable, str(MAIN), *RUN, "--detector", "det.txt"]
    done = subprocess.run(
        command,
        cwd=program.folder,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        timeout=DEADLINE_S,
        check=False,
    )
    os.close(slave)
    os.close(master)
    assert done.returncode == 0
    check_complete(program)
