"""One frame twice: with the boxes of the last detection, and with the same boxes moved to this frame.

    python -m benchmarks.moment [CLIP] [--at 7.24] [--latency 0.6] [--classes Car] [--part 250,40,640,250] [-o FILE]

CLIP defaults to the clip of the demo. The detector is the starter with the given latency, on a simulated clock, so the
result does not depend on the machine. Left: the last result of `--overlay detected` at that time, drawn on the current
frame; right: the same frame of `--overlay now`.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from streamer.cli.commands import packaged_clip
from streamer.config.settings import DrawSettings, TrackerSettings
from streamer.detectors.litert.starter import StarterDetector
from streamer.flow.simulated_clock import Latency
from streamer.interfaces import Scene
from streamer.pipeline import Pipeline
from streamer.render.annotators import Renderer, build_annotators
from streamer.run.trackers import build_tracker
from streamer.sources.file.file import FileSource


def scenes(clip: Path, overlay: str, latency_s: float, until_s: float) -> list[Scene]:
    """The scenes up to a media time."""
    shown: list[Scene] = []
    tracker = build_tracker(TrackerSettings(), detection_interval_s=latency_s)
    with FileSource(str(clip)) as source:
        for scene in Pipeline(source, [StarterDetector()], tracker, overlay=overlay, latency=Latency([latency_s])):
            if scene.frame.time_s > until_s:
                break
            shown.append(scene)
    return shown


def drawn(scene: Scene, classes: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The annotated image, BGR, with some classes."""
    wanted = [scene.labels.name(label) in classes for label in scene.tracks.labels.tolist()]
    scene = dataclasses.replace(scene, tracks=scene.tracks.select(np.array(wanted, np.bool_)))
    picture = Renderer(build_annotators(DrawSettings(score=False), {})).render(scene)
    return np.asarray(picture.to_ndarray(format="bgr24"), np.uint8)


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?", default=packaged_clip())
    parser.add_argument("--at", type=float, default=7.24, help="seconds")
    parser.add_argument("--latency", type=float, default=0.6)
    parser.add_argument("--classes", default="Car")
    parser.add_argument("--part", default="250,40,640,250", help="left, top, right, bottom in pixels")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/moment.jpg"))
    options = parser.parse_args()
    carried = scenes(options.clip, "now", options.latency, options.at)[-1]
    known_s = carried.frame.time_s - options.latency
    last = scenes(options.clip, "detected", options.latency, known_s)[-1]
    stale = dataclasses.replace(carried, tracks=last.tracks)
    left, top, right, bottom = map(int, options.part.split(","))
    panels = [drawn(scene, options.classes.split(","))[top:bottom, left:right] for scene in (stale, carried)]
    gap = np.full((len(panels[0]), 8, 3), 255, np.uint8)
    cv2.imwrite(str(options.output), np.hstack([panels[0], gap, panels[1]]))
    print(f"frame at {carried.frame.time_s:.2f} s, found on the one at {last.frame.time_s:.2f} s: {options.output}")


if __name__ == "__main__":
    main()
