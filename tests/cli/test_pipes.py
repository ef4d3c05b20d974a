"""Standard input and FIFOs as sources on the command line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import pytest

from tests.cli.program import DEADLINE_S, MAIN, Program, Result
from tests.cli.test_interrupts import frame_times, wait_for_frames
from tests.clips import write_video
from tests.structure import FilePlan, StreamPlan, build, contents


def run_with_input(program: Program, content: bytes | None, *arguments: str) -> Result:
    """A run whose standard input is a pipe with `content`; None closes it."""
    process = subprocess.Popen(
        [sys.executable, str(MAIN), *arguments],
        cwd=program.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=(lambda: os.close(0)) if content is None else None,
    )
    output, errors = process.communicate(content, timeout=DEADLINE_S)
    return Result(process.returncode, output.decode(), errors.decode())


def clip_of(program: Program, suffix: str) -> Path:
    streams = (StreamPlan("h264"), StreamPlan("mp2"))
    return build(FilePlan(suffix, streams), program.folder / f"clip{suffix}")


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_standard_input_gives_frames_and_audio(program: Program, suffix: str) -> None:
    clip = clip_of(program, suffix)
    result = run_with_input(program, clip.read_bytes(), "run", "-", "-o", "out.mkv", "--set", "draw.boxes=false")
    assert result.code == 0, result.errors
    given, made = contents(clip), contents(program.folder / "out.mkv")
    assert made.numbers == given.numbers
    assert [data for _, data in made.streams[0].packets] == [data for _, data in given.streams[0].packets]


def test_standard_input_has_a_default_output(program: Program) -> None:
    content = clip_of(program, ".ts").read_bytes()
    before = program.files()
    result = run_with_input(program, content, "run", "-")
    assert result.code == 0, result.errors
    (made,) = program.files() - before
    assert made.endswith(".annotated.mp4")
    assert not made.startswith("-")


@pytest.mark.parametrize("content", [None, b"", b"no video at all\n" * 99])
@pytest.mark.parametrize("command", [("run", "-", "-o", "out.mp4"), ("probe", "-")])
def test_standard_input_without_a_video_gives_one_error(
    program: Program, command: tuple[str, ...], content: bytes | None
) -> None:
    result = run_with_input(program, content, *command)
    assert result.code == 2, result.errors
    assert "standard input" in result.errors
    assert "Traceback" not in result.errors
    assert len(result.errors.strip().splitlines()) == 1
    assert program.files() == set()


def test_an_mp4_with_its_index_at_the_end_gives_one_error(program: Program) -> None:
    streams = (StreamPlan("h264"), StreamPlan("pcm_s16le", Fraction(10)))
    clip = build(FilePlan(".mov", streams), program.folder / "clip.mov")
    result = run_with_input(program, clip.read_bytes(), "run", "-", "-o", "out.mp4")
    assert result.code == 2, result.errors
    (line,) = result.errors.strip().splitlines()
    assert "index at the end" in line
    assert program.files() == {"clip.mov"}


def test_standard_input_can_be_probed(program: Program) -> None:
    result = run_with_input(program, clip_of(program, ".mkv").read_bytes(), "probe", "-")
    assert result.code == 0, result.errors
    assert "h264" in result.output
    assert "80x48" in result.output
    assert "mp2" in result.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("begun", [False, True])
def test_a_signal_ends_the_wait_for_a_writer(program: Program, number: int, code: int, begun: bool) -> None:
    """Before the first byte there is nothing to keep; later all received frames are kept."""
    fifo = program.folder / "fifo"
    os.mkfifo(fifo)
    clip = write_video(program.folder / "clip.ts", frames=300, audio=True)
    arguments = ("run", "fifo", "-o", "out.mp4", "--jsonl", "frames.jsonl")
    with program.start(*arguments) as process, writing_end(fifo, process) as writer:
        sender = threading.Thread(target=send, args=(writer, clip.read_bytes() if begun else b""))
        sender.start()
        if begun:
            wait_for_frames(program, process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE_S)
        sender.join(timeout=DEADLINE_S)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert not [name for name in program.files() if "partial" in name]
    if begun:
        times = frame_times(program.folder / "out.mp4")
        with av.open(str(program.folder / "out.mp4")) as container:
            ends = [packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.pts is not None]
        assert len(times) > 20
        assert abs(max(ends) - times[-1]) < Fraction(1, 10)
    else:
        assert program.files() == {"fifo", "clip.ts"}


def send(writer: IO[bytes], content: bytes) -> None:
    """Write all but the end, so the reader waits."""
    with contextlib.suppress(BrokenPipeError):
        writer.write(content[:-1000])


def writing_end(fifo: Path, process: subprocess.Popen[str]) -> IO[bytes]:
    """The writing end of the FIFO once the program has opened it; fail if the program ends first."""
    while process.poll() is None:
        try:
            end = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO: nobody has opened it yet
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
            continue
        os.set_blocking(end, True)
        return os.fdopen(end, "wb", buffering=0)
    raise AssertionError(process.communicate()[1])


def test_a_fifo_without_a_writer_can_be_interrupted(program: Program) -> None:
    os.mkfifo(program.folder / "fifo")
    with program.start("run", "fifo", "-o", "out.mp4") as process:
        with writing_end(program.folder / "fifo", process):
            pass  # the writer came and went without a byte
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2, errors
    assert "no data arrived" in errors
    assert program.files() == {"fifo"}


@pytest.mark.parametrize("option", ["--csv", "--jsonl", "--mot"])
def test_boxes_are_written_to_standard_output(program: Program, option: str) -> None:
    clip = write_video(program.folder / "clip.mp4", frames=12)
    detections = program.folder / "boxes.txt"
    detections.write_text("".join(f"{frame},-1,10,10,20,20,0.9,-1,-1,-1\n" for frame in range(1, 13)))
    before = program.files()
    result = program("run", str(clip), "--detector", str(detections), option, "-")
    assert result.code == 0, result.errors
    assert program.files() == before
    assert "complete: 12 frames" in result.errors
    program("run", str(clip), "--detector", str(detections), option, "file")
    assert result.output == (program.folder / "file").read_text()


def test_a_reader_of_standard_output_that_has_enough_ends_the_run(program: Program) -> None:
    clip = write_video(program.folder / "clip.mp4", frames=300)
    with program.start("run", str(clip), "--live", "--jsonl", "-") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith('{"index":0,')
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(DEADLINE_S) == 0, errors
    assert "Traceback" not in errors
    assert "interrupted: " in errors


@pytest.mark.parametrize("option", ["-o", "--report"])
def test_other_outputs_cannot_be_standard_output(program: Program, option: str) -> None:
    write_video(program.folder / "clip.mp4", frames=2)
    before = program.files()
    result = program("run", "clip.mp4", option, "-")
    assert result.code == 2
    (line,) = result.errors.splitlines()
    assert "cannot be written to standard output; name a file" in line
    assert program.files() == before
