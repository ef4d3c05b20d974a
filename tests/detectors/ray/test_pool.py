"""A pool on a real Ray cluster: started, used, listed and stopped with the commands; workers and pools that die."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import clips
from tests.ray_head import RayHead, ray_head

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
HANGS_S = 120
SENDER = """
import sys
from dataclasses import replace
from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import build_detector
from streamer.errors import DetectorUnreachable
from streamer.features import DetectorContext
from tests.detectors.frames import frame_of, street
frame = replace(frame_of(street(320, 240, seed=3)), arrival_wall_clock_s=1e9)  # of a live source
detector, *others = build_detector(DetectorSettings(name=sys.argv[1]), DetectorContext()).detectors
first = detector.detect(frame)
print("detects", flush=True)
for line in sys.stdin:
    lost = 0
    while True:
        try:
            found = detector.detect(frame)
        except DetectorUnreachable:
            lost += 1
            continue
        if lost:
            break
    assert found.boxes.tobytes() == first.boxes.tobytes()
    print("lost and back", flush=True)
for one in (detector, *others):
    one.close()
"""


@pytest.fixture(scope="module")
def head() -> Iterator[RayHead]:
    with ray_head(cpus=4) as running:
        yield running


def environment() -> dict[str, str]:
    return {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)}


def streamer(*arguments: str) -> tuple[int, str]:
    """Exit code, and everything that the command printed."""
    command = [sys.executable, str(ROOT / "main.py"), *arguments]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        timeout=HANGS_S,
        check=False,
    )
    return done.returncode, done.stdout


def serve(head: RayHead, name: str, *arguments: str) -> tuple[int, str]:
    return streamer("models", "serve", name, "--cluster", head.address, "--host", "127.0.0.1", *arguments)


@pytest.fixture(scope="module")
def pool(head: RayHead) -> Iterator[str]:
    """The address of a pool of two starters that report low scores."""
    code, said = serve(head, "low", "--detector", "starter", "--actors", "2", "--set", "detector.min_score=0.02")
    assert code == 0, said
    assert said.startswith("pool low runs 2 actors of starter, on port ")
    assert said.endswith(f"use it with --detector {head.address}/low\n")
    yield f"{head.address}/low"
    assert streamer("models", "stop", "low", "--cluster", head.address)[0] == 0


@pytest.mark.usefixtures("starter_weights")
def test_a_run_with_a_pool_is_that_with_the_local_model(pool: str, tmp_path: Path) -> None:
    clip = clips.write_video(tmp_path / "clip.mp4", frames=12, size=(320, 240))
    for name, detector in (("here", "starter"), ("there", pool)):
        code, said = streamer(
            *("run", str(clip), "--detector", detector, "--set", "detector.min_score=0.02"),
            *("-o", str(tmp_path / f"{name}.mp4"), "--jsonl", str(tmp_path / f"{name}.jsonl")),
        )
        assert code == 0, said
    assert "box" in (tmp_path / "here.jsonl").read_text(encoding="utf-8")
    for suffix in ("jsonl", "mp4"):
        assert (tmp_path / f"there.{suffix}").read_bytes() == (tmp_path / f"here.{suffix}").read_bytes()


def test_the_pools_of_a_cluster_are_listed(head: RayHead, pool: str) -> None:
    del pool
    code, said = streamer("models", "pools", "--cluster", head.address)
    assert code == 0
    assert said.splitlines()[0].split()[:3] == ["pool", "detector", "actors"]
    assert said.splitlines()[1].split()[:3] == ["low", "starter", "2/2"]


def test_what_a_pool_refuses_is_one_line(head: RayHead, pool: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    clip = clips.write_video(tmp_path / "clip.mp4", frames=2, size=(64, 48))
    run = ("run", str(clip), "-o", str(tmp_path / "out.mp4"), "--detector")
    for arguments, message in (
        ((*run, f"{head.address}/lo"), f"no pool 'lo' on {head.address}; did you mean low?"),
        ((*run, pool, "--set", "detector.min_score=0.01"), "reports scores from 0.02 on"),
        ((*run, "ray://"), "no pool 'ray://': give ray://HOST/NAME"),
        (("models", "serve", "low", "--cluster", head.address), f"there is a pool 'low' on {head.address} already"),
        (("models", "serve", "a b", "--cluster", head.address), "no name of a pool: 'a b'"),
        (("models", "serve", "x", "--cluster", "local"), "a local cluster ends with its command"),
        (("models", "stop", "other", "--cluster", head.address), "no pool 'other'"),
        (("models", "serve", "x", "--cluster", head.address, "--detector", str(missing)), f"there is no {missing}"),
    ):
        code, said = streamer(*arguments)
        assert code == 2, said
        assert message in said, said
        assert said.count("error: ") == 1
        assert "Traceback" not in said
    assert not (tmp_path / "out.mp4").exists()
    assert "x " not in streamer("models", "pools", "--cluster", head.address)[1]


def kill(head: RayHead, kind: str) -> None:
    """End the processes of all actors of this class."""
    of_head = psutil.Process(head.process.pid).children(recursive=True)
    actors = [one for one in of_head if one.name().startswith(f"ray::{kind}"[:15])]  # Linux cuts the name
    assert actors, f"no {kind}"
    for one in actors:
        one.kill()


def test_frames_are_lost_until_a_killed_worker_or_pool_is_back(head: RayHead, pool: str) -> None:
    """First both workers, then the dispatcher, which Ray starts again; the sender finds it without a new start."""
    with subprocess.Popen(
        [sys.executable, "-c", SENDER, pool],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
        text=True,
    ) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        assert sender.stdout.readline() == "detects\n"
        for kind in ("DetectorWorker", "PoolDispatcher"):
            kill(head, kind)
            sender.stdin.write("again\n")
            sender.stdin.flush()
            assert sender.stdout.readline() == "lost and back\n"
        sender.stdin.close()
        assert sender.wait(HANGS_S) == 0
