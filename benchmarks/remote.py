"""A detector on a server beside the same model run here, and a live run whose server is killed.

    python -m benchmarks.remote [--calls N] [--outage SECONDS] [--url kserve+http://... --model FILE.onnx]

The first part detects each frame (1280x720) on both sides in turns, on loopback. A model returns made arrays of the
size of the real ones. `added` is the difference of the medians and of the least times, with the server and the
loopback in it; `client` is what the thread of the detector computes more than with the model here, in CPU time, which
depends less on what else runs. Goal: 4 ms. Without `--url` the server is that of the tests, in a process of its own;
`--url` names a model of another server, such as Triton, and `--model` the same model in a file.

The second part plays a clip as a live source, kills the server (`kill -9`) and starts it again after `--outage` s. A
run of the same length before it, whose server stays, shows what the machine itself delays and drops. Goals: no frame is
shown late, the ledger balances, and frames are detected within 1 s of the server's return.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import streamer
from benchmarks.clips import looped, machine
from benchmarks.detector import frames
from benchmarks.onnx_calls import objects, write_detr, write_yolov8
from streamer.config.detector import DetectorSettings
from streamer.detectors.onnx.detector import OnnxDetector
from streamer.detectors.selection import build_detector
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.detectors.onnx import graphs

GOAL_MS = 4.0
BACK_WITHIN_S = 1.0
LATE_S = 0.5
"""A frame that is shown so long after it was captured is late."""
BEFORE_S, AFTER_S = 5.0, 10.0
STARTS_S = 1.0
"""The first frames wait until the run has started, so they are not counted."""
_NANO = (384, 384)


def write_nano(path: Path) -> Path:
    """Of the size of RF-DETR Nano."""
    boxes, logits = graphs.detr(*objects(1), _NANO, queries=300)
    return graphs.constant(path, {"dets": boxes, "labels": logits}, size=_NANO)


MODELS = {
    "yolov8 640x640, 4.9 MB there, 2.8 MB back": write_yolov8,
    "detr 640x640, 4.9 MB there, 0.1 MB back": write_detr,
    "detr 384x384, 1.8 MB there, 0.1 MB back": write_nano,
}


class Server:
    """The server of the tests in a process of its own."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start it, on the same port as before; returns the monotonic time at which it listens."""
        command = [sys.executable, "-m", "tests.detectors.kserve.server", str(self.port), f"model={self._model}"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return time.monotonic()

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    @property
    def url(self) -> str:
        """The name of the detector."""
        return f"kserve+http://127.0.0.1:{self.port}/v2/models/model"


@contextmanager
def serving(model: Path) -> Iterator[Server]:
    """A server that runs."""
    server = Server(model)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def built(name: str) -> Detector:
    """One detector with COCO's classes."""
    settings = DetectorSettings(name=name, label_map="coco", workers=1)
    return build_detector(settings, DetectorContext()).detectors[0]


def timed(detector: Detector, frame: Frame) -> tuple[float, float]:
    """Wall and CPU time of this thread for one detection, ms."""
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    detector.detect(frame)
    return (time.perf_counter() - wall_s) * 1e3, (time.thread_time() - cpu_s) * 1e3


def model_cpu_ms(detector: Detector) -> float:
    """CPU time of the model itself, which runs in this thread, ms."""
    assert isinstance(detector, OnnxDetector)
    assert detector._session is not None
    took_ms = []
    for _ in range(50):
        began_s = time.thread_time()
        detector._session.run(detector._adapter.outputs, detector._adapter.inputs)
        took_ms.append((time.thread_time() - began_s) * 1e3)
    return statistics.median(took_ms)


def compare(name: str, url: str, model: Path, calls: int) -> None:
    """Print both sides of one model."""
    pictures = frames(5, 1280, 720)
    with closing(built(str(model))) as here, closing(built(url)) as there:
        for frame in pictures:
            found, expected = there.detect(frame), here.detect(frame)
            assert found.boxes.tolist() == expected.boxes.tolist()
            assert found.scores.tolist() == expected.scores.tolist()
        sides: dict[str, list[tuple[float, float]]] = {"here": [], "server": []}
        for at in range(calls):
            for side, detector in (("here", here), ("server", there)):
                sides[side].append(timed(detector, pictures[at % len(pictures)]))
        wall_ms = {side: statistics.median(wall for wall, _ in took) for side, took in sides.items()}
        least_ms = {side: min(wall for wall, _ in took) for side, took in sides.items()}
        cpu_ms = {side: statistics.median(cpu for _, cpu in took) for side, took in sides.items()}
        own_ms = cpu_ms["server"] - (cpu_ms["here"] - model_cpu_ms(here))
    print(
        f"{name}: here {wall_ms['here']:.2f} ms, server {wall_ms['server']:.2f} ms, "
        f"added {wall_ms['server'] - wall_ms['here']:.2f} ms (least {least_ms['server'] - least_ms['here']:.2f}); "
        f"client {own_ms:.2f} ms (goal {GOAL_MS:g} ms); boxes equal"
    )


def outage(server: Server, clip: Path, outage_s: float, *, kills: bool) -> None:
    """Print what a live run does while the server is away; or without `kills` the same run, whose server stays."""
    back_s: list[float] = []
    ages_s: list[float] = []
    detected_s: float | None = None
    settings: Mapping[str, object] = {"source.live": True, "detector.label_map": "coco"}

    def interrupt() -> None:
        time.sleep(BEFORE_S)
        if kills:
            server.kill()
        time.sleep(outage_s)
        back_s.append(server.start() if kills else time.monotonic())

    killer = Thread(target=interrupt)
    with streamer.open(str(clip), detector=server.url, settings=settings) as scenes:
        killer.start()
        ledger, before, began_s = scenes.stats.ledger, 0, time.monotonic()
        ends_s = began_s + BEFORE_S + outage_s + AFTER_S + 10
        for scene in scenes:
            now_s = time.monotonic()
            if now_s > began_s + STARTS_S:
                ages_s.append(now_s - scene.frame.captured_s)
            detected = ledger.count(FrameState.DETECTED)
            if not back_s:
                before = detected
            elif detected_s is None and detected > before:
                detected_s = now_s
            if now_s > ends_s or (detected_s is not None and now_s > detected_s + AFTER_S):
                break
    killer.join()
    entered, settled = ledger.snapshot()
    counts = ", ".join(f"{state}{f' ({cause})' if cause else ''} {count}" for (state, cause), count in settled.items())
    took_s = float("nan") if detected_s is None else detected_s - back_s[0]
    back = f"; detects again {took_s:.2f} s after the server listens (goal {BACK_WITHIN_S:g} s)" if kills else ""
    late = sum(age_s > LATE_S for age_s in ages_s)
    what = f"killed for {outage_s:g} s" if kills else "not killed"
    print(
        f"server {what}: {entered} frames, {counts}; {entered - sum(settled.values())} unaccounted; "
        f"{late} of {len(ages_s)} shown frames later than {LATE_S:g} s, oldest {max(ages_s):.3f} s{back}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--outage", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--url", help="a model of another server")
    parser.add_argument("--model", type=Path, help="the same model in a file")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        if options.url:
            compare(options.url, options.url, options.model, options.calls)
            return
        for number, (name, write) in enumerate(MODELS.items()):
            model = write(Path(folder) / f"{number}.onnx")
            with serving(model) as server:
                compare(name, server.url, model, options.calls)
        times = round((BEFORE_S + options.outage + AFTER_S + 20) / 5.28) + 1
        with serving(Path(folder) / "2.onnx") as server:
            played = looped(Path(folder) / "clip.mp4", times)
            for kills in (False, True):
                outage(server, played, options.outage, kills=kills)


if __name__ == "__main__":
    main()
