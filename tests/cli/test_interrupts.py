"""Signals, a full disk and a killed process: a file with the final name is always complete."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import psutil
import pytest

from streamer.cli.command import command
from tests.cli.program import DEADLINE_S, MAIN, Program, Result, exit_code
from tests.clips import write_video

ENDLESS = "lavfi:testsrc2=size=320x240:rate=25"


def end_when_running(program: Program, number: int, *arguments: str | Path) -> Result:
    """Start a run that also writes JSON lines, wait for frames, send a signal."""
    with program.start("run", *arguments, "--jsonl", "frames.jsonl") as process:
        wait_for_frames(program, process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=DEADLINE_S)
    return Result(process.returncode, output, errors)


def wait_for_frames(program: Program, process: subprocess.Popen[str]) -> None:
    """Wait until the temporary JSON lines file has grown; fail if the program ends first."""
    while process.poll() is None:
        partial = list(program.folder.glob(".frames.*.partial.jsonl"))
        if partial and partial[0].stat().st_size > 4096:
            return
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(process.communicate()[1])


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        frames = [(frame.pts, frame.time_base) for frame in container.decode(video=0)]
    return [pts * time_base for pts, time_base in frames if pts is not None and time_base is not None]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_completes_the_file_up_to_that_frame(program: Program, number: int, code: int) -> None:
    result = end_when_running(program, number, ENDLESS, "-o", "out.mp4", "--report", "report.json")
    assert result.code == code, result.errors
    assert "Traceback" not in result.errors
    lines = [json.loads(line) for line in (program.folder / "frames.jsonl").read_text().splitlines()]
    times = frame_times(program.folder / "out.mp4")
    assert len(times) == len(lines) == program.report()["frames"]["detected"]
    assert times == [line["pts"] * Fraction(line["time_base"]) for line in lines]
    assert program.report()["state"] == "interrupted"
    assert program.files() == {"out.mp4", "frames.jsonl", "report.json"}


@pytest.mark.slow
def test_an_interrupted_clip_keeps_its_sound_up_to_that_frame(program: Program) -> None:
    clip = write_video(program.folder / "clip.mp4", frames=2500, audio=True)
    result = end_when_running(program, signal.SIGINT, clip, "-o", "out.mp4")
    assert result.code == 130, result.errors
    end = frame_times(program.folder / "out.mp4")[-1]
    with av.open(str(program.folder / "out.mp4")) as container:
        sound_end = max(packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.pts is not None)
    assert len(frame_times(program.folder / "out.mp4")) < 2500
    assert abs(sound_end - end) < Fraction(1, 10)


@pytest.mark.parametrize("numbers", [(signal.SIGHUP, signal.SIGHUP), (signal.SIGTERM, signal.SIGHUP)])
def test_the_signals_at_the_end_of_a_session_count_as_one(program: Program, numbers: tuple[int, int]) -> None:
    with program.start("run", ENDLESS, "-o", "out.mp4", "--jsonl", "frames.jsonl") as process:
        wait_for_frames(program, process)
        for number in (*numbers, signal.SIGHUP):
            process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 128 + numbers[0], errors
    lines = (program.folder / "frames.jsonl").read_text().splitlines()
    assert len(frame_times(program.folder / "out.mp4")) == len(lines)


def test_a_run_under_nohup_continues_after_its_session(program: Program) -> None:
    with program.start("run", ENDLESS, "--jsonl", "frames.jsonl", ignored=signal.SIGHUP) as process:
        wait_for_frames(program, process)
        process.send_signal(signal.SIGHUP)
        (partial,) = program.folder.glob(".frames.*")
        size = partial.stat().st_size
        while partial.stat().st_size < size + 4096:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.02)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 143, errors
    assert (program.folder / "frames.jsonl").stat().st_size > size


def wait_for_cpu_time(process: subprocess.Popen[str], cpu_s: float) -> None:
    """Wait until a process has used so much CPU time: how far it is then does not depend on the machine's load."""
    times = psutil.Process(process.pid)
    while sum(times.cpu_times()[:2]) < cpu_s:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("cpu_s", [0.15, 0.3, 0.5, 0.8])  # Python starts in 0.05 s of CPU time on any busy machine
def test_a_signal_in_any_phase_ends_without_a_traceback(program: Program, cpu_s: float, number: int) -> None:
    with program.start("run", ENDLESS, "-o", "out.mp4") as process:
        wait_for_cpu_time(process, cpu_s)
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE_S)
    # Before the program handles the signal, the default action of the system applies.
    assert process.returncode in (128 + number, -number), errors
    assert "Traceback" not in errors
    assert not [name for name in program.files() if "partial" in name]


def test_a_killed_process_leaves_nothing_under_the_final_name(program: Program) -> None:
    result = end_when_running(program, signal.SIGKILL, ENDLESS, "-o", "out.mp4")
    assert result.code == -signal.SIGKILL
    assert not {"out.mp4", "frames.jsonl"} & program.files()


def limit_file_size() -> None:
    """Simulate a full disk: writes beyond 256 KiB fail."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))


@pytest.mark.parametrize(
    "output", [["-o", "out.mp4"], ["-o", "out.mkv"], ["--jsonl", "out.jsonl"], ["--mot", "out.txt"]]
)
@pytest.mark.slow
def test_a_full_disk_is_one_error_and_leaves_no_file(program: Program, output: list[str]) -> None:
    result = run_limited(
        program, limit_file_size, "run", "lavfi:testsrc2=size=640x480:rate=25", "--min-score", "0.05", *output
    )
    assert result.code == 1, result.errors
    assert "Traceback" not in result.errors
    assert "Exception ignored" not in result.errors
    assert "error:" in result.errors
    assert program.files() == set()


def run_limited(program: Program, limit: Callable[[], None], *arguments: str) -> Result:
    import sys

    done = subprocess.run(
        [sys.executable, str(MAIN), *arguments],
        cwd=program.folder,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_ctrl_c_that_a_library_replaces_by_its_error_is_an_interruption() -> None:
    def work() -> None:
        with command(quiet=True):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as error:
                raise ValueError("error building a model: KeyboardInterrupt") from error

    assert exit_code(work) == 130
