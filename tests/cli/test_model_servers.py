"""Models on servers on the command line: `run` and `models check`."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from tests.cli.program import Program
from tests.clips import write_video
from tests.detectors.kserve.server import ModelServer
from tests.detectors.onnx import graphs
from tests.detectors.onnx.test_families import BOXES

FRAMES = 40
ENDLESS = "lavfi:testsrc2=size=192x128:rate=25"


@pytest.fixture
def model(program: Program) -> Path:
    sure = np.array([[0.9, 0.2], [0.1, 0.9]])  # the tracker shows both
    output = {"output0": graphs.yolov8(BOXES, sure)}
    return graphs.constant(program.folder / "model.onnx", output, metadata=graphs.ULTRALYTICS)


@pytest.fixture
def server(model: Path) -> Iterator[ModelServer]:
    with ModelServer({"yolo": model}) as running:
        yield running


@pytest.fixture
def clip(program: Program) -> Path:
    return write_video(program.folder / "clip.mp4", frames=FRAMES, size=(192, 128))


def counted(server: ModelServer, number: int, *, and_hold: bool = False) -> threading.Event:
    """Set when so many frames have come; those and later ones are not answered if they are to be held."""
    came, frames = threading.Event(), 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal frames
        frames += 1
        if frames == number:
            came.set()
        while and_hold and frames >= number:
            await asyncio.sleep(0.01)  # ends with the server
        return await server.infer(request)

    server.instead["/infer"] = count
    return came


def test_a_run_writes_the_same_as_with_the_model_here(program: Program, clip: Path, server: ModelServer) -> None:
    there = program("run", clip, "--detector", server.url("yolo"), "--jsonl", "there.jsonl", "--report", "report.json")
    assert there.code == 0, there.errors
    assert f"using {server.url('yolo')}" in there.errors
    assert program.report()["frames"]["detected"] == FRAMES
    assert program.report()["detector"].endswith(server.url("yolo"))
    assert program("run", clip, "--detector", "model.onnx", "--jsonl", "here.jsonl").code == 0
    assert (program.folder / "there.jsonl").read_bytes() == (program.folder / "here.jsonl").read_bytes()


def test_a_check_names_the_family_and_the_server(program: Program, server: ModelServer) -> None:
    result = program("models", "check", server.url("yolo"))
    assert result.code == 0, result.errors
    assert f"{server.url('yolo')} works" in result.output
    assert "family yolov8, input 96x64" in result.output
    assert f"model yolo of test 1 at http://127.0.0.1:{server.port}/v2" in result.output


def test_a_missing_server_is_told_in_one_line(program: Program, clip: Path, server: ModelServer) -> None:
    before = program.files()
    result = program("run", clip, "--detector", server.url("yollo", login="me:s3cr3t-of-mine@"), "-o", "out.mp4")
    assert result.code == 2
    assert result.errors.splitlines()[-1].endswith("has no model yollo that is ready: it has yolo; did you mean yolo?")
    assert "s3cr3t" not in result.errors
    assert program.files() == before


def test_a_plan_does_not_contain_a_login(program: Program, clip: Path) -> None:
    name = "kserve+http://me:s3cr3t-of-mine@127.0.0.1:9/v2/models/yolo"
    result = program("plan", clip, "--parts", "2", "-o", "plan.json", "--detector", name)
    assert result.code == 2
    assert "has a login, which the plan would store" in result.errors
    assert "s3cr3t" not in result.errors
    assert not (program.folder / "plan.json").exists()


@pytest.mark.slow
def test_a_restart_of_the_server_costs_a_file_no_frame(program: Program, clip: Path, model: Path) -> None:
    with ModelServer({"yolo": model}) as before:
        came = counted(before, 10, and_hold=True)
        run = program.start(
            "run", clip, "--detector", before.url("yolo"), "--report", "report.json", "--jsonl", "o.jsonl"
        )
        assert came.wait(60)
    with run as process:
        assert process.stderr is not None
        assert any("is sent again for up to 120 s" in line for line in process.stderr)
        with ModelServer({"yolo": model}, before.port):
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert program.report()["frames"]["detected"] == FRAMES
    assert "the detector answers again after" in errors


@pytest.mark.slow
def test_a_live_run_goes_on_without_the_server(program: Program, model: Path) -> None:
    clip = write_video(program.folder / "long.mp4", frames=150, size=(192, 128))
    with ModelServer({"yolo": model}) as before:
        came = counted(before, 10)
        options = "--detector", before.url("yolo"), "--report", "report.json", "--jsonl", "o.jsonl"
        run = program.start("run", clip, "--set", "source.live=true", *options)
        assert came.wait(60)
    with run as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    frames = program.report()["frames"]
    assert frames["lost"]["remote"] > 0
    assert "frames are lost until it answers" in errors


@pytest.mark.slow
@pytest.mark.parametrize("live", ["true", "false"])
def test_ctrl_c_does_not_wait_for_the_deadline(program: Program, server: ModelServer, live: str) -> None:
    held, ended, frames = threading.Event(), threading.Event(), 0

    async def hold(request: web.Request) -> web.StreamResponse:
        nonlocal frames
        frames += 1
        while frames > 2 and not ended.is_set():
            held.set()
            await asyncio.sleep(0.02)
        return await server.infer(request)

    server.instead["/infer"] = hold
    settings = "--set", f"source.live={live}", "--set", "detector.remote.deadline_s=3600"
    with program.start("run", ENDLESS, *settings, "--detector", server.url("yolo"), "--jsonl", "o.jsonl") as process:
        assert held.wait(60)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    ended.set()
    assert process.returncode == 130, errors
