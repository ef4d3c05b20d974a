"""The detectors that need no GPU: a frame of 1280x720 against the bare call of their runtime.

    python -m benchmarks.small_detectors [--frames N] [--threads N]

Both sides use one interpreter with the same model and the same number of threads. The bare call is `set_tensor` with an
array that is ready, `invoke` and `get_tensor`. The detector starts from the decoded frame: it scales and normalizes,
runs the model, decodes and suppresses. Frames of both sides alternate; the figures are medians of the CPU time of the
process, which depends less on other programs than the time on the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.clips import machine
from streamer.classes import label_maps
from streamer.cli.commands import packaged_clip
from streamer.config.detector import DetectorSettings
from streamer.detectors.litert import runtime
from streamer.detectors.litert.nanodet import NanoDetDetector
from streamer.detectors.litert.starter import StarterDetector
from streamer.interfaces import Detector
from streamer.models import store
from streamer.sources.selection import open_source
from streamer.values.frame import Frame

WARM_UP = 5


def frames(count: int) -> list[Frame]:
    """Frames of the demo clip, scaled to 1280x720."""
    found = []
    with open_source(str(packaged_clip())) as source:
        for frame in source:
            picture = frame.picture.reformat(width=1280, height=720)
            found.append(Frame(picture, frame.index, frame.pts, frame.time_base, 0.0))
            if len(found) == count:
                break
    return found


def bare_call(name: str, threads: int) -> Callable[[], None]:
    """The model of a detector, called with an array that is ready."""
    content = store.PINNED[name].load()
    skipped = label_maps.STARTER_LABEL_MAP_BYTES if name == store.STARTER else 0
    interpreter = runtime.load(name, content[skipped:], threads)
    (given,) = interpreter.get_input_details()
    outputs = [item["index"] for item in interpreter.get_output_details()]
    image = np.random.default_rng(0).uniform(-1, 1, given["shape"]).astype(np.float32)

    def call() -> None:
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        for output in outputs:
            interpreter.get_tensor(output)

    return call


def compare(name: str, detector: Detector, pictures: list[Frame], threads: int) -> None:
    """Print the medians of both sides, and of their ratio frame by frame."""
    bare, taken_ms = bare_call(name, threads), []
    for frame in pictures:
        taken_ms.append((_timed_ms(bare), _timed_ms(lambda frame=frame: detector.detect(frame))))  # type: ignore[misc]
    bare_ms, detect_ms = zip(*taken_ms[WARM_UP:], strict=True)
    ratio = statistics.median(detect / call for call, detect in taken_ms[WARM_UP:])
    print(
        f"{name:8s} bare call {statistics.median(bare_ms):.1f} ms, detector {statistics.median(detect_ms):.1f} ms a "
        f"frame, {ratio:.2f} times"
    )


def _timed_ms(part: Callable[[], object]) -> float:
    began_s = time.process_time()
    part()
    return (time.process_time() - began_s) * 1e3


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    print(machine())
    pictures, settings = frames(chosen.frames), DetectorSettings(threads=chosen.threads)
    compare(store.NANODET, NanoDetDetector(settings), pictures, chosen.threads)
    compare(store.STARTER, StarterDetector(settings), pictures, chosen.threads)


if __name__ == "__main__":
    main()
