"""A detector in a pool on a Ray cluster beside the same model here, and what Ray's own client would take.

    python -m benchmarks.remote_ray [--calls N] [--outage SECONDS]

The first part starts a Ray head on this machine with a pool for each model, and detects each frame (1280x720) on both
sides in turns. A model returns made arrays of the size of the real ones. `added` is the difference of the medians: the
host, loopback, the dispatcher, the hop to the actor and back. Goal: 4 ms. `ray client` sends as many bytes to an actor
that does nothing, by `ray.get(actor.call.remote(...))` through Ray's client, in turns with the others.

The second part kills the head under a live run (`kill -9`), starts it again with the pool after `--outage` s, and
says when frames are detected again. Goals: no frame is late, the ledger balances, within 1 s of the pool's return.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from threading import Event, Thread

import numpy as np

import streamer
from benchmarks.clips import looped, machine
from benchmarks.detector import frames
from benchmarks.onnx_calls import write_detr, write_yolov8
from streamer.cluster.connection import connect
from streamer.config.detector import DetectorSettings
from streamer.detectors.selection import build_detector
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.values.states import FrameState
from tests.ray_head import ROOT, RayHead, free_ports, ray_head

GOAL_MS = 4.0
BACK_WITHIN_S = 1.0
LATE_S = 0.5
"""A frame that is shown so long after it was captured is late."""
BEFORE_S, AFTER_S, PATIENCE_S = 5.0, 10.0, 120.0
MODELS: Mapping[str, Callable[[Path], Path]] = {"yolov8": write_yolov8, "detr": write_detr}
COCO = ("--set", "detector.label_map=coco")


class Nothing:
    """An actor that detects nothing."""

    def call(self, picture: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> int:
        return len(picture)


def serve(head: RayHead, name: str, model: str, *more: str) -> None:
    """Start a pool; returns when it is ready."""
    command = [sys.executable, str(ROOT / "main.py"), "models", "serve", name, "--cluster", head.address]
    subprocess.run(
        [*command, "--detector", model, "--host", "127.0.0.1", *more],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )


def built(name: str) -> Detector:
    """One detector with COCO's classes."""
    return build_detector(DetectorSettings(name=name, label_map="coco", workers=1), DetectorContext()).detectors[0]


def at(took_ms: list[float], part: float) -> float:
    """The quantile; the fastest tenth depends little on what else the machine does."""
    return float(np.quantile(took_ms, part))


def timed_ms(call: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    call()
    return (time.perf_counter() - began_s) * 1e3


def compare(head: RayHead, name: str, model: Path, calls: int) -> None:
    """Print both sides of one model, and Ray's client with the same picture."""
    pictures = frames(5, 1280, 720)
    picture = np.zeros(640 * 640 * 3, np.uint8)
    took_ms: dict[str, list[float]] = {"here": [], "pool": [], "ray client": []}
    with ExitStack() as opened:
        here = opened.enter_context(closing(built(str(model))))
        there = opened.enter_context(closing(built(f"{head.address}/{name}")))
        for frame in pictures:
            found, expected = there.detect(frame), here.detect(frame)
            assert found.boxes.tobytes() == expected.boxes.tobytes()
            assert found.scores.tobytes() == expected.scores.tobytes()
        ray = opened.enter_context(connect(head.address)).ray
        actor = ray.remote(Nothing).options(num_cpus=0).remote()
        ray.get(actor.call.remote(picture))
        for number in range(calls):
            frame = pictures[number % len(pictures)]
            took_ms["here"].append(timed_ms(partial(here.detect, frame)))
            took_ms["pool"].append(timed_ms(partial(there.detect, frame)))
            took_ms["ray client"].append(timed_ms(lambda: ray.get(actor.call.remote(picture))))
    for part, which in ((0.5, "median"), (0.1, "fastest tenth")):
        here_ms, pool_ms, client_ms = (at(took, part) for took in took_ms.values())
        print(
            f"{name} 640x640, {which}: here {here_ms:.2f} ms, pool {pool_ms:.2f} ms, added {pool_ms - here_ms:.2f} ms "
            f"(goal {GOAL_MS:g} ms); ray client without a model {client_ms:.2f} ms; boxes equal",
            flush=True,
        )


def outage(clip: Path, outage_s: float) -> None:
    """Print what a live run does while the head is away."""
    gcs_port, port = free_ports(2)
    back_s: list[float] = []
    ready, playing, ended = Event(), Event(), Event()

    def run_heads() -> None:
        with ray_head(cpus=2, ports=(gcs_port, port)) as head:
            serve(head, "pool", "starter")
            ready.set()
            playing.wait()
            time.sleep(BEFORE_S)
            head.kill()
        time.sleep(outage_s)
        with ray_head(cpus=2, ports=(gcs_port, port)) as head:
            serve(head, "pool", "starter")
            back_s.append(time.monotonic())
            ended.wait()

    heads = Thread(target=run_heads, daemon=True)
    heads.start()
    ready.wait()
    try:
        watch(clip, f"ray://127.0.0.1:{port}/pool", outage_s, playing, back_s)
    finally:
        ended.set()
        heads.join()


def watch(clip: Path, detector: str, outage_s: float, playing: Event, back_s: list[float]) -> None:
    """Play the clip as a live source until frames are detected again."""
    ages_s: list[float] = []
    detected_s: float | None = None
    with streamer.open(str(clip), detector=detector, settings={"source.live": True}) as scenes:
        playing.set()
        ledger, gone, ends_s = scenes.stats.ledger, 0, time.monotonic() + BEFORE_S + outage_s + PATIENCE_S
        killed_s = time.monotonic() + BEFORE_S + outage_s / 2
        for scene in scenes:
            now_s = time.monotonic()
            ages_s.append(now_s - scene.frame.captured_s)
            detected = ledger.count(FrameState.DETECTED)
            if now_s < killed_s:
                gone = detected
            elif detected_s is None and detected > gone:
                detected_s = now_s
            if now_s > ends_s or (detected_s is not None and now_s > detected_s + AFTER_S):
                break
    entered, settled = ledger.snapshot()
    counts = ", ".join(f"{state}{f' ({cause})' if cause else ''} {count}" for (state, cause), count in settled.items())
    took_s = float("nan") if detected_s is None or not back_s else max(detected_s - back_s[0], 0.0)
    late = sum(age_s > LATE_S for age_s in ages_s)
    print(
        f"head killed for {outage_s:g} s: {entered} frames, {counts}; {entered - sum(settled.values())} unaccounted; "
        f"{late} of {len(ages_s)} shown frames later than {LATE_S:g} s, oldest {max(ages_s):.3f} s; detects again "
        f"{took_s:.2f} s after the pool is ready (goal {BACK_WITHIN_S:g} s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--outage", type=float, default=30.0, metavar="SECONDS", help="0: without the second part")
    arguments = parser.parse_args()
    os.environ["RAY_AUTH_MODE"] = "disabled"  # for the clusters of this benchmark, on this machine only
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        with ray_head(cpus=4) as head:
            for name, write in MODELS.items():
                model = write(Path(folder) / f"{name}.onnx")
                serve(head, name, str(model), *COCO)
                compare(head, name, model, arguments.calls)
        if arguments.outage:
            outage(looped(Path(folder) / "clip.mp4", 60), arguments.outage)


if __name__ == "__main__":
    main()
