"""The program with workers of its own: other processes, which know the detectors of the tests by entry points."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from streamer.values.frame import Frame
from tests import clips
from tests.parts.detector import PictureDetector
from tracking.types import Detections

ROOT = Path(__file__).parents[3]
FRAMES = 48
SLEEP_S = 0.05


class NamedDetector(PictureDetector):
    """The detector of the tests under the name of its entry point."""

    name = "slow-picture"

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is that of this class."""
        return name == cls.name

    @classmethod
    def labels_of(cls, settings: Any) -> Any:
        """Its classes."""
        del settings
        return cls.labels

    def detect(self, frame: Frame) -> Detections:
        """Slow enough that a worker can end in the middle of a part."""
        time.sleep(SLEEP_S)
        return super().detect(frame)


class OwnNumbers(NamedDetector):
    """Each process finds other scores, as other processors may."""

    name = "own-numbers"

    def detect(self, frame: Frame) -> Detections:
        """The scores depend on the process."""
        found = super().detect(frame)
        return Detections(found.boxes, found.scores * np.float32(1 - os.getpid() % 1000 * 1e-4), found.labels)


def environment(folder: Path) -> dict[str, str]:
    """Variables with which a program, and the workers that it starts, know the detectors."""
    facts = folder / "detectors" / "picture-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: picture\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{one.name} = {__name__}:{one.__name__}" for one in (NamedDetector, OwnNumbers)]
    (facts / "entry_points.txt").write_text("\n".join(["[streamer.detectors]", *lines, ""]), encoding="utf-8")
    paths = os.pathsep.join([str(facts.parent), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "RAY_AUTH_MODE": "disabled", "PYTHONUNBUFFERED": "1"}


def clip(folder: Path) -> Path:
    """H.264 with open groups of pictures."""
    options = {"g": "8", "bf": "2", "x264-params": "open-gop=1:scenecut=0:threads=1", "preset": "veryfast"}
    return clips.write_video(folder / "clip.mp4", frames=FRAMES, options=options)


def command(source: Path, folder: Path, *arguments: str, detector: str = NamedDetector.name) -> list[str]:
    """`run` with two outputs in a folder."""
    folder.mkdir(exist_ok=True)
    outputs = ["-o", str(folder / "out.mp4"), "--jsonl", str(folder / "out.jsonl")]
    start = [sys.executable, "main.py", "run", str(source), "--detector", detector]
    return [*start, *outputs, *arguments]


def outputs(folder: Path) -> list[bytes]:
    """What a run wrote."""
    return [(folder / name).read_bytes() for name in ("out.mp4", "out.jsonl")]


@contextmanager
def started(arguments: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A running program in a process group of its own; its output is one stream."""
    with subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The output up to the line that has the text."""
    told = ""
    assert process.stdout is not None
    for line in process.stdout:
        told += line
        if text in line:
            return told
    raise AssertionError(f"{text!r} was not written:\n{told}")


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes below a program: those of a local cluster."""
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Those that detect."""
    found = []
    for child in children(process):
        try:
            if "PartActor" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found
