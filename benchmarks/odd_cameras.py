"""Cameras with a low frame rate, and cameras that send frames in bursts.

    python -m benchmarks.odd_cameras slow [--minutes 5] [--json FILE]
    python -m benchmarks.odd_cameras bursts [--minutes 10] [--json FILE]

Scripted RTSP cameras number their frames and record when each was captured. The whole program records all of them at
the same time, with a detector that costs nothing. Then the recordings are checked.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.clips import machine
from tests.faults.camera import Camera
from tests.faults.camera.settings import Codec
from tests.faults.counter import read_number

_END_WITHIN_S = 60.0
_DETECTIONS = "1,-1,10,10,20,20,0.9,-1,-1,-1\n"


@dataclass(frozen=True)
class Case:
    """One camera."""

    transport: str
    codec: Codec = "h264"
    fps: float = 25.0
    burst: int = 1

    @property
    def name(self) -> str:
        """The name in the table."""
        return f"{self.codec} {self.transport} {self.fps:g} fps" + (f" in {self.burst}s" if self.burst > 1 else "")

    def camera(self) -> Camera:
        """A small frame size: eight cameras share two cores."""
        every_s = 4 / self.fps if self.burst == 1 else self.burst / self.fps
        return Camera(
            codec=self.codec,
            fps=self.fps,
            burst=self.burst,
            size=(320, 180),
            key_frame_every_s=every_s,
            key_frame_on_play=self.burst == 1,
        )


SLOW = [
    Case(transport, codec, fps) for codec in ("h264", "h265") for transport in ("tcp", "udp") for fps in (1, 0.5, 0.1)
]
BURSTS = [Case(transport, burst=burst) for transport in ("tcp", "udp") for burst in (5, 8, 12, 25)]


def started(case: Case, camera: Camera, folder: Path) -> subprocess.Popen[bytes]:
    """The program, recording into its own folder."""
    folder.mkdir()
    detections = folder / "det.txt"
    detections.write_text(_DETECTIONS)
    words = ["run", camera.url, "--detector", str(detections), "-o", str(folder / "out.mkv")]
    words += ["--report", str(folder / "report.json"), "--set", f"source.transport={case.transport}"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([sys.executable, "main.py", *words], stdout=log, stderr=log)


def judged(case: Case, camera: Camera, folder: Path) -> dict[str, Any]:
    """The recording, compared with what the camera captured."""
    report = json.loads((folder / "report.json").read_text())
    with av.open(str(folder / "out.mkv")) as container:
        pictures = [(read_number(one), float(one.time or 0)) for one in container.decode(video=0)]
    numbers = [number for number, _ in pictures if number is not None]
    shots = {number: shot for number in numbers if (shot := camera.shot(number)) is not None}
    # FFmpeg loses the time stamp of the first frame of a session.
    known = [(shots[number].stamped_s, time_s) for number, time_s in pictures[1:] if number in shots]
    stamps_s, times_s = np.array(known).T
    error_s = (times_s - times_s[0]) - (stamps_s - stamps_s[0])
    return {
        "case": case.name,
        "decoded": report["frames"]["entered"],
        "recorded": len(pictures),
        "missing_numbers": numbers[-1] - numbers[0] + 1 - len(numbers),
        "reconnects": sum(n for what, n in report["counts"].items() if what.startswith("reconnect")),
        "dropped": report["frames"]["dropped"],
        "worst_time_error_ms": round(float(np.abs(error_s).max()) * 1e3, 2),
        "drift_at_the_end_ms": round(float(error_s[-1]) * 1e3, 2),
        "age_at_detector_p50_p95_ms": [report["ages"]["detector"][key] for key in ("p50_ms", "p95_ms")],
        "shown_p50_p95_ms": [report["ages"]["shown"][key] for key in ("p50_ms", "p95_ms")],
    }


def measure(cases: list[Case], minutes: float) -> dict[str, Any]:
    """All cases in parallel."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cameras = [stack.enter_context(case.camera()) for case in cases]
        places = [folder / str(number) for number in range(len(cases))]
        runs = [started(*one) for one in zip(cases, cameras, places, strict=True)]
        with suppress(subprocess.TimeoutExpired):
            runs[0].wait(minutes * 60)
        for run in runs:
            run.send_signal(signal.SIGTERM)
        for run in runs:
            run.wait(_END_WITHIN_S)
        rows = [judged(*one) for one in zip(cases, cameras, places, strict=True)]
    return {"minutes": minutes, "rows": rows, "load_average": os.getloadavg()[0], "machine": machine()}


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("slow", "bursts"))
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    slow = options.what == "slow"
    result = measure(SLOW if slow else BURSTS, options.minutes or (5.0 if slow else 10.0))
    for row in result["rows"]:
        print(", ".join(f"{key} {value}" for key, value in row.items()))
    print(f"load {result['load_average']:.1f}, {result['machine']}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
