"""Peak memory of a long run against a short one.

    python -m benchmarks.memory [--frames N]

One run with the starter over an endless synthetic source, with JSON lines and video as outputs. It compares the peak
resident set size after 1,000 frames with that at the end.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.clips import machine
from streamer.config.detector import DetectorSettings
from streamer.config.loading import load_settings
from streamer.detectors.litert.starter import StarterDetector
from streamer.pipeline import Pipeline
from streamer.render.annotators import build_annotators
from streamer.run.outputs import Outputs
from streamer.run.trackers import build_tracker
from streamer.sources.synthetic import SyntheticSource

FIRST = 1000


def peak_mib() -> float:
    """Peak resident set size of this process so far (Linux counts KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    frames = parser.parse_args().frames
    settings = load_settings(None)
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        graph = f"testsrc2=size=640x360:rate=25:duration={frames / 25}"
        source = stack.enter_context(SyntheticSource(graph))
        outputs = Outputs.of(settings, "", typed=[str(folder / "out.mp4")], jsonl=folder / "out.jsonl")
        sinks = outputs.open_sinks(source.info, settings).all
        for sink in sinks:
            stack.enter_context(sink)
        pipeline = Pipeline(
            source,
            [StarterDetector(DetectorSettings(min_score=0.1)), StarterDetector(DetectorSettings(min_score=0.1))],
            build_tracker(settings.tracker),
            annotators=build_annotators(settings.draw, settings.extensions),
            sinks=sinks,
        )
        first_mib = 0.0
        for scene in pipeline:
            if scene.frame.index + 1 == FIRST:
                first_mib = peak_mib()
        last_mib = peak_mib()
    shown = pipeline.stats.shown
    growth = last_mib / first_mib - 1
    print(f"peak RSS {first_mib:.1f} MiB after {FIRST} frames, {last_mib:.1f} MiB after {shown}: {growth:+.1%}")


if __name__ == "__main__":
    main()
