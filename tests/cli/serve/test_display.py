"""`streamer serve` as a person sees it: lines, JSON, a terminal, the report, the web pages."""

from __future__ import annotations

import http.client
import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.program import DEADLINE_S, Program, words_of
from tests.clips import corrupt, write_video
from tests.serve.test_report import validator
from tests.web.test_server import port

__all__ = ["port"]

LIVE = {"source": {"uri": "clip.mp4", "live": True}}


def write_site(folder: Path, cameras: dict[str, Any], **others: Any) -> None:
    site = {"detector": {"name": "starter"}, "cameras": cameras, **others}
    (folder / "site.yaml").write_text(yaml.safe_dump(site, sort_keys=False))


def camera(uri: str, name: str, **source: Any) -> dict[str, Any]:
    return {"source": {"uri": uri, **source}, "outputs": [{"to": f"{name}.jsonl"}]}


@pytest.fixture
def files(program: Program) -> Program:
    """A site of two files, one of which is damaged."""
    whole = write_video(program.folder / "whole.ts", frames=50)
    corrupt(whole, program.folder / "yard.ts", start=0.5, end=0.7)
    write_video(program.folder / "front.mp4", frames=30)
    write_site(program.folder, {"front": camera("front.mp4", "front"), "yard": camera("yard.ts", "yard")})
    return program


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def until_ok(port: int, path: str) -> bytes:
    """The page, once it is answered with 200."""
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        try:
            status, body = get(port, path)
        except OSError:
            status = 0
        if status == 200:
            return body
        time.sleep(0.05)
    raise AssertionError(f"{path} is not healthy")


@pytest.mark.slow
def test_lines_tell_each_change_and_name_the_camera(files: Program) -> None:
    result = files("serve", "--config", "site.yaml", "--report", "site.json", columns=80)
    assert result.code == 0, result.errors
    lines = result.errors.splitlines()
    for line in (
        "front: starting, front.mp4",
        "front: running, 160x120, 25 fps",
        "front: ended, 30 frames shown",
        "yard: starting, yard.ts",
    ):
        assert line in lines
    assert [line for line in lines if "lost" in line]
    assert all(line.startswith("warning: yard: ") for line in lines if "lost" in line)
    report = json.loads((files.folder / "site.json").read_text())
    validator().validate(report)
    assert report["state"] == "complete"
    assert report["cameras"]["front"]["frames"]["entered"] == 30
    head, columns, front, yard, *others = result.output.splitlines()
    assert head.startswith("complete: 2 cameras, ")
    assert columns.split()[:4] == ["camera", "in", "shown", "detected"]
    assert (front.split()[:3], yard.split()[0]) == (["front", "30", "30"], "yard")
    assert others[-2:] == ["written: 2 files in this folder", "report: site.json"]


@pytest.mark.slow
def test_json_lines_have_the_camera_as_a_field(files: Program) -> None:
    result = files("serve", "--config", "site.yaml", "--log-format", "json")
    lines = [json.loads(line) for line in result.errors.splitlines()]
    assert {"level": "info", "camera": "front", "message": "running, 160x120, 25 fps"}.items() <= next(
        line.items() for line in lines if line["message"].startswith("running") and line["camera"] == "front"
    )
    lost = [line for line in lines if "lost" in line["message"]]
    assert lost
    assert {line["camera"] for line in lost} == {"yard"}


@pytest.mark.slow
def test_quiet_shows_warnings_only(files: Program) -> None:
    result = files("serve", "--config", "site.yaml", "--quiet")
    assert result.output == ""
    assert all(line.startswith("warning: ") for line in result.errors.splitlines())


def test_an_existing_report_is_refused_before_the_work(files: Program) -> None:
    (files.folder / "site.json").write_text("kept")
    result = files("serve", "--config", "site.yaml", "--report", "site.json")
    assert result.code == 2
    assert result.errors.startswith("error: site.json exists already; ")
    assert "starting" not in result.errors


def test_a_report_on_standard_output_is_refused(files: Program) -> None:
    result = files("serve", "--config", "site.yaml", "--report", "-")
    assert (result.code, len(result.errors.splitlines())) == (2, 1)
    assert "name a file" in result.errors


def start_on_a_terminal(program: Program, arguments: Sequence[str]) -> tuple[subprocess.Popen[bytes], int]:
    """The program, and the other end of its terminal; SIGHUP is ignored, as by nohup."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        words_of(*arguments),
        cwd=program.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    os.close(theirs)
    return process, ours


@pytest.mark.slow
def test_a_site_goes_on_without_its_terminal_and_has_its_pages(program: Program, port: int) -> None:
    write_video(program.folder / "clip.mp4", frames=3000, size=(64, 48))
    front = {**LIVE, "outputs": [{"to": f"http://127.0.0.1:{port}/front"}]}
    yard = {**LIVE, "outputs": [{"to": "yard.jsonl"}]}
    write_site(program.folder, {"front": front, "yard": yard}, metrics={"address": f":{port}"})
    process, terminal = start_on_a_terminal(program, ["serve", "--config", "site.yaml", "--report", "site.json"])
    try:
        health = json.loads(until_ok(port, "/healthz"))
        assert {name: one["state"] for name, one in health["cameras"].items()} == {
            "front": "running",
            "yard": "running",
        }
        shown = b""
        while b"last event" not in shown or b"yard" not in shown:
            shown += os.read(terminal, 65536)
        os.close(terminal)
        before = json.loads(until_ok(port, "/healthz/yard"))["frames_shown"]
        while json.loads(until_ok(port, "/healthz/yard"))["frames_shown"] < before + 25:
            time.sleep(0.05)
        metrics = until_ok(port, "/metrics").decode()
        assert 'streamer_camera_state{source="clip.mp4",state="running",stream="yard"} 1.0' in metrics
        assert 'streamer_frames_entered_total{source="clip.mp4",stream="front"}' in metrics
        assert json.loads(until_ok(port, "/front/healthz"))["status"] == "ok"
        process.terminate()
        assert process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert json.loads((program.folder / "site.json").read_text())["state"] == "interrupted"
