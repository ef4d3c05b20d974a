"""A detector in a package of its own, for the program in a process: it notes each frame, and may stall on one."""

from __future__ import annotations

from pathlib import Path

import pytest

NAME = "stalling"
_MODULE = """
import os
import threading

import streamer

NOTES = os.environ["STALLING_NOTES"]
STALLS_AT = int(os.environ.get("STALLING_AT", "-1"))


class StallingDetector(streamer.Detector, streamer.DetectorFeature):
    labels = streamer.LabelTable(("thing",))

    @classmethod
    def accepts(cls, name):
        return name == "stalling"

    @classmethod
    def from_settings(cls, settings, context):
        return [cls()]

    def detect(self, frame):
        if frame.width < 1280:  # the canary is larger than the clips
            with open(NOTES, "a") as notes:
                notes.write(f"{frame.index}\\n")
            if frame.index == STALLS_AT:
                threading.Event().wait()
        side = frame.index / 3 + 1
        return streamer.Detections([[0, 0, side, side]], [0.5], [0])

    def close(self):
        pass
"""


class Stalling:
    """The package in a folder, and what its detector notes.

    Args:
        folder: for the package.
        patch: sets the variables of the environment.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._notes, self._patch = folder / "notes", patch
        package = folder / "stalling_package"
        (package / "stalling-1.0.dist-info").mkdir(parents=True)
        (package / "stalling_detector.py").write_text(_MODULE)
        information = package / "stalling-1.0.dist-info"
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stalling\nVersion: 1.0\n")
        entry = f"[streamer.detectors]\n{NAME} = stalling_detector:StallingDetector\n"
        (information / "entry_points.txt").write_text(entry)
        patch.setenv("PYTHONPATH", str(package))
        patch.setenv("STALLING_NOTES", str(self._notes))

    def at(self, index: int | None) -> None:
        """Programs that start now stall on this frame, or on none."""
        self._patch.setenv("STALLING_AT", str(-1 if index is None else index))

    @property
    def seen(self) -> list[int]:
        """The index of each frame that was detected, or stalled, in all programs."""
        if not self._notes.exists():
            return []
        lines = self._notes.read_text().split("\n")[:-1]
        return [int(line) for line in lines]
