"""Throughput of a run against a common loop and against supervision, side by side.

    python -m benchmarks.throughput [--rounds N] [--loops N]

All contestants read the same 1280x720 clip, run the same detector with the same number of threads, draw boxes and
labels, and write the same codec at the same quality; the output has file size and PSNR for comparison. They take turns
in every round. The ratio of a round compares runs seconds apart, and the output has the median of the rounds. CPU time
is that of the process, which other programs on the machine disturb less. `--detect-every auto` and `3` detect fewer
frames than the loops: the output says how many.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.clips import looped, machine
from streamer.config.detector import DetectorSettings
from streamer.config.loading import load_settings
from streamer.detectors.litert.starter import StarterDetector
from streamer.interfaces import Scene
from streamer.observe.report import SilentReporter
from streamer.render.annotators import Renderer, build_annotators
from streamer.run.outputs import Outputs
from streamer.run.session import Session
from streamer.run.trackers import build_tracker
from streamer.sources.file.file import FileSource
from streamer.values.states import FrameState
from tracking.types import Detections

CORES = len(os.sched_getaffinity(0))
Image = npt.NDArray[np.uint8]


@dataclass
class BgrFrame:
    """An OpenCV image with the part of `Frame` that the detector reads."""

    bgr: Image

    @property
    def width(self) -> int:
        return int(self.bgr.shape[1])

    @property
    def height(self) -> int:
        return int(self.bgr.shape[0])

    def rgb(self, size: tuple[int, int]) -> Image:
        return np.asarray(cv2.cvtColor(cv2.resize(self.bgr, size), cv2.COLOR_BGR2RGB), np.uint8)


def detect(detector: StarterDetector, bgr: Image) -> Detections:
    return detector.detect(BgrFrame(bgr))  # type: ignore[arg-type]


def draw(bgr: Image, found: Detections, names: tuple[str, ...]) -> None:
    for (x0, y0, x1, y1), score, label in zip(
        found.boxes.astype(int).tolist(), found.scores, found.labels, strict=True
    ):
        cv2.rectangle(bgr, (x0, y0), (x1, y1), (0, 200, 255), 2)
        cv2.putText(bgr, f"{names[label]} {score:.0%}", (x0, y0 - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 200, 255), 2)


@contextmanager
def mpeg4_writer(out: Path, fps: float, size: tuple[int, int]) -> Iterator[Callable[[Image], None]]:
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)

    def write(bgr: Image) -> None:
        writer.write(bgr)

    yield write
    writer.release()


@contextmanager
def h264_writer(out: Path, fps: float, size: tuple[int, int]) -> Iterator[Callable[[Image], None]]:
    """OpenCV's wheels cannot write H.264: the same encoder with the same settings as the run's, from BGR."""
    with av.open(str(out), "w") as target:
        stream = target.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=H264_OPTIONS)
        stream.width, stream.height = size
        yield lambda bgr: target.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, "bgr24")))
        target.mux(stream.encode())


def plain_loop(clip: Path, out: Path, codec: str, threads: int) -> None:
    """The common loop: read, detect, draw, write."""
    detector = StarterDetector(DetectorSettings(threads=threads))
    capture = cv2.VideoCapture(str(clip))
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    open_writer = mpeg4_writer if codec == "mpeg4" else h264_writer
    with open_writer(out, capture.get(cv2.CAP_PROP_FPS), size) as write:
        while True:
            ok, bgr = capture.read()
            if not ok:
                break
            image = np.asarray(bgr, np.uint8)
            draw(image, detect(detector, image), detector.labels.names)
            write(image)
    capture.release()


def supervision_loop(clip: Path, out: Path, threads: int) -> None:
    """`supervision.process_video` with the same model in its callback and supervision's own drawing."""
    import supervision as sv

    detector = StarterDetector(DetectorSettings(threads=threads))
    boxes, labels = sv.BoxAnnotator(), sv.LabelAnnotator()

    def callback(bgr: Any, _: int) -> Any:
        found = detect(detector, bgr)
        texts = [f"{detector.labels.name(k)} {s:.0%}" for k, s in zip(found.labels.tolist(), found.scores, strict=True)]
        seen = sv.Detections(xyxy=found.boxes.copy(), confidence=found.scores.copy(), class_id=found.labels.astype(int))
        return labels.annotate(boxes.annotate(bgr, seen), seen, texts)

    sv.process_video(source_path=str(clip), target_path=str(out), callback=callback)


H264_OPTIONS = {"crf": "20", "preset": "veryfast"}


def encoder_settings(codec: str, bit_rate: int) -> dict[str, Any]:
    """The run's encoder: mpeg4 at the bit rate of OpenCV's writer, H.264 with the same options."""
    if codec == "mpeg4":
        return {"output.codec": codec, "output.options": {"b": bit_rate}}
    return {
        "output.codec": codec,
        "output.crf": float(H264_OPTIONS["crf"]),
        "output.preset": H264_OPTIONS["preset"],
    }


def streamer_run(clip: Path, out: Path, options: dict[str, Any]) -> int:
    """`streamer run`, inside this process; returns the number of detected frames."""
    settings = load_settings(None, (), {"detector.name": "starter", **options})
    outputs = Outputs.of(settings, "", typed=[str(out)], overwrite=True)
    reporter = SilentReporter()
    Session(str(clip), outputs, settings, reporter).run()
    assert reporter.final is not None
    return reporter.final.stats.ledger.count(FrameState.DETECTED)


def stage_cpu_s(clip: Path, out: Path, options: dict[str, Any]) -> dict[str, float]:
    """CPU seconds of each stage alone, one after the other, over the whole clip."""
    settings = load_settings(None, (), {"detector.name": "starter", **options})
    cpu_s: dict[str, float] = {}

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        began_s = time.process_time()
        yield
        cpu_s[stage] = time.process_time() - began_s

    with FileSource(clip) as source:
        with timed("decode"):
            frames = list(source)
        detector = StarterDetector(DetectorSettings(threads=1))
        with timed("detect"):
            detections = [detector.detect(frame) for frame in frames]
        tracker = build_tracker(settings.tracker)
        renderer = Renderer(build_annotators(settings.draw, settings.extensions))
        scenes = []
        with timed("track and draw"):
            for frame, found in zip(frames, detections, strict=True):
                tracks = tracker.update(found, frame.time_s)
                scene = Scene(frame, tracks.select(tracks.confirmed), detector.labels, FrameState.DETECTED, found)
                scenes.append(replace(scene, picture=renderer.render(scene)))
        outputs = Outputs.of(settings, "", typed=[str(out)], overwrite=True)
        (sink,) = outputs.open_sinks(source.info, settings).all
        with timed("encode"), sink:
            for scene in scenes:
                sink.write(scene)
    return cpu_s


def frames_and_psnr(clip: Path, result: Path) -> tuple[int, float]:
    """Frame count of a result and its luma PSNR against the clip in dB (the drawing is part of the difference)."""
    errors = []
    with av.open(str(clip)) as one, av.open(str(result)) as other:
        for a, b in zip(one.decode(video=0), other.decode(video=0), strict=True):
            difference = a.to_ndarray(format="gray").astype(np.int16) - b.to_ndarray(format="gray")
            errors.append(float(np.mean(difference.astype(np.float32) ** 2)))
    return len(errors), 10 * float(np.log10(255**2 / np.mean(errors)))


def compare(codec: str, clip: Path, folder: Path, rounds: int) -> None:
    """Run the contestants in turns and print the results."""
    plain, ours, peer = folder / "plain.mp4", folder / "streamer.mp4", folder / "supervision.mp4"
    plain_loop(clip, plain, codec, CORES)  # warms the caches and gives the bit rate
    with av.open(str(plain)) as written:
        bit_rate = int(written.bit_rate)
    options = encoder_settings(codec, bit_rate)
    detected: dict[str, int] = {}

    def streamer(name: str, every: int | str) -> None:
        out = ours if every == 1 else folder / f"every-{every}.mp4"
        detected[name] = streamer_run(clip, out, {**options, "detector.every": every})

    contestants: dict[str, Callable[[], None]] = {
        name: partial(streamer, name, every)
        for name, every in (("streamer", 1), ("streamer, auto", "auto"), ("streamer, every 3", 3))
    }
    contestants |= {
        f"plain loop, {CORES} threads": lambda: plain_loop(clip, plain, codec, CORES),
        "plain loop, 1 thread": lambda: plain_loop(clip, plain, codec, 1),
    }
    if codec == "mpeg4":
        contestants["supervision"] = lambda: supervision_loop(clip, peer, CORES)
    times_s: dict[str, list[float]] = {name: [] for name in contestants}
    cpu_s: dict[str, list[float]] = {name: [] for name in contestants}
    limit_s = []
    for _ in range(rounds):
        for name, contestant in contestants.items():
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            contestant()
            times_s[name].append(time.perf_counter() - began_s)
            cpu_s[name].append(time.process_time() - began_cpu_s)
        stages = stage_cpu_s(clip, folder / "alone.mp4", options)
        limit_s.append(sum(stages.values()) / CORES)
    print(f"\n{codec}, {rounds} rounds")
    frames, _ = frames_and_psnr(clip, plain)
    reference = f"plain loop, {CORES} threads"
    print(f"  {'':24s} {'s':>7s} {'CPU ms a frame':>15s} {'detected':>9s}   speed and CPU time against {reference}")
    for name, taken_s in times_s.items():
        faster, work = (
            statistics.median(other / own for other, own in zip(of[reference], of[name], strict=True))
            for of in (times_s, cpu_s)
        )
        cpu_ms = 1000 * statistics.median(cpu_s[name]) / frames
        asked = detected.get(name, frames) / frames
        print(
            f"  {name:24s} {statistics.median(taken_s):7.2f} {cpu_ms:15.1f} {asked:9.0%}"
            f"   {faster:.2f} times as fast, {1 / work:.2f} of the CPU time"
        )
    fractions = [limit / own for limit, own in zip(limit_s, times_s["streamer"], strict=True)]
    alone = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages.items())
    print(f"  fraction of the limit {statistics.median(fractions):.2f} (CPU s of stages alone: {alone}; {CORES} cores)")
    for path in (plain, ours, peer):
        if path.exists():
            frames, psnr_db = frames_and_psnr(clip, path)
            print(f"  {path.name:18s} {frames} frames, {path.stat().st_size / 1e6:.1f} MB, luma PSNR {psnr_db:.1f} dB")


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, default=3, help="length of the clip, times 5.3 s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(Path(folder) / "clip.mp4", arguments.loops)
        print(machine())
        for codec in ("mpeg4", "h264"):
            compare(codec, clip, Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
