"""CPU time of everything except decoding, detection and encoding, at 1280x720 with 20 tracks.

    python -m benchmarks.overhead [--frames N]

The real pipeline with real threads on frames that are decoded beforehand, a detector that converts each frame to the
starter's input and returns 20 moving boxes, JSON lines to a file, and a sink that drops the drawn frame. The CPU time
of the whole process is divided by the number of frames, so it includes all threads.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.clips import machine
from streamer.cli.commands import packaged_clip
from streamer.config.loading import load_settings
from streamer.config.output import OutputEntry
from streamer.interfaces import Damage, Scene, StreamInfo
from streamer.pipeline import Pipeline
from streamer.render.annotators import build_annotators
from streamer.run.outputs import Outputs
from streamer.run.trackers import build_tracker
from streamer.sources.file.file import FileSource
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

TRACKS = 20
STARTER_INPUT_PX = 300


class DecodedFrames:
    """A source that costs nothing: the same decoded frames again and again, with increasing times."""

    def __init__(self, clip: Path, frames: int) -> None:
        with FileSource(clip) as source:
            self._pictures = [frame.picture for frame, _ in zip(source, range(25), strict=False)]
            self.info: StreamInfo = source.info
        self._frames = frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        return None

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._frames):
            yield Frame(self._pictures[index % len(self._pictures)], index, index, Fraction(1, 25), time.monotonic())

    def stop(self) -> None:
        """Does nothing: this source never waits."""

    def take_damage(self) -> list[Damage]:
        return []


class MovingBoxes:
    """A detector that converts the frame, as the starter does, and returns given boxes."""

    labels = LabelTable(("Person", "Car", "Bicycle", "Dog"))

    def __init__(self, *, convert: bool) -> None:
        rows = np.arange(TRACKS)
        x, y = 40 + (rows % 5) * 240.0, 60 + (rows // 5) * 160.0
        self._boxes = np.stack([x, y, x + 90, y + 120], axis=1).astype(np.float32)
        # High enough for the tracker to confirm and show all of them.
        self._scores = np.linspace(0.95, 0.8, TRACKS).astype(np.float32)
        self._labels = (rows % 4).astype(np.int32)
        self._convert = convert

    def detect(self, frame: Frame) -> Detections:
        if self._convert:
            frame.rgb((STARTER_INPUT_PX, STARTER_INPUT_PX))
        shift = np.float32(frame.index % 50)
        # The scores change, so that no cache can hold the whole label.
        return Detections(self._boxes + shift, self._scores - np.float32(frame.index % 7) / 100, self._labels)

    def close(self) -> None:
        return None


class PictureSink:
    """Takes the drawn picture as an encoder would, and drops it."""

    stage = "picture"
    main_thread = False
    wants_picture = True
    notes = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        return None

    def write(self, scene: Scene) -> None:
        if scene.picture is None:
            raise AssertionError("no frame was drawn")


def measure(frames: int, *, convert: bool) -> tuple[float, Pipeline]:
    """CPU milliseconds per frame, and the pipeline with its stage times."""
    source = DecodedFrames(packaged_clip("bigbuckbunny.mp4"), frames)
    settings = load_settings(None)
    with tempfile.TemporaryDirectory() as folder:
        outputs = Outputs((OutputEntry(to=f"{folder}/out.jsonl"),))
        sinks = outputs.open_sinks(source.info, settings).all
        with sinks[0]:
            pipeline = Pipeline(
                source,
                [MovingBoxes(convert=convert)],
                build_tracker(settings.tracker),
                annotators=build_annotators(settings.draw, settings.extensions),
                sinks=[*sinks, PictureSink()],
            )
            began_s = time.process_time()
            shown = sum(len(scene.tracks) for scene in pipeline)
            cpu_s = time.process_time() - began_s
    if shown < 0.9 * TRACKS * frames:
        raise AssertionError(f"only {shown / frames:.1f} tracks per frame were shown")
    return 1e3 * cpu_s / frames, pipeline


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1500)
    frames = parser.parse_args().frames
    print(machine())
    measure(100, convert=True)
    with_conversion_ms, pipeline = measure(frames, convert=True)
    without_ms, _ = measure(frames, convert=False)
    print(f"CPU ms per frame: {with_conversion_ms:.2f} (of which conversion {with_conversion_ms - without_ms:.2f})")
    for name, times in pipeline.stats.stages.items():
        p50_ms, p95_ms = times.percentile_s(50) * 1e3, times.percentile_s(95) * 1e3
        print(f"  {name:8s} p50 {p50_ms:6.3f} ms   p95 {p95_ms:6.3f} ms (wall)")


if __name__ == "__main__":
    main()
