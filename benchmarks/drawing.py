"""The cost of drawing on the native planes, against a round trip through RGB, side by side.

    python -m benchmarks.drawing [--rounds N] [--tracks N] [--seconds S]

Both sides get the same decoded 1280x720 frame and the same tracks, which move and change their score on every frame,
and return a frame of the same format. The RGB side is the common loop: to a BGR array, `cv2.rectangle` and
`cv2.putText` (with a filled background behind the text), back to the native format. The sides take turns every ten
frames, so that other load on the machine affects both. The output has medians. After them come the figures of
`benchmarks.flicker`, over `--seconds` of a generated sequence: how often styles change and labels move.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from fractions import Fraction

import av
import cv2
import numpy as np

from benchmarks import flicker
from benchmarks.clips import HD_CLIP, machine
from streamer.cli.commands import packaged_clip
from streamer.interfaces import Scene
from streamer.render.boxes import BoxAnnotator
from streamer.render.canvas import Canvas
from streamer.render.colours.palette import colour_by_id, text_colour_on
from streamer.render.labels.annotator import LabelAnnotator
from streamer.render.overlays.hud import HudAnnotator
from streamer.render.overlays.trails import TrailAnnotator
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Tracks

NATIVE, RGB = "copy + boxes + labels", "RGB round trip"
TURN = 10
LABELS = LabelTable(("Person", "Car", "Bicycle", "Traffic light"))


def moving_tracks(count: int, step: int, size: tuple[int, int]) -> Tracks:
    """Tracks of common sizes, each moved a little further than in the step before."""
    generator = np.random.default_rng(7)
    width, height = size
    sides = generator.uniform((0.03, 0.1), (0.12, 0.3), (count, 2)) * size
    corners = generator.uniform((0, 0.05), (0.85, 0.7), (count, 2)) * size + (step * 3 % 40, 0)
    boxes = np.minimum(np.hstack([corners, corners + sides]), (width, height, width, height))
    nothing = np.zeros(count, np.float32)
    return Tracks(
        ids=np.arange(1, count + 1),
        boxes=boxes.astype(np.float32),
        scores=np.random.default_rng(step).uniform(0.3, 1.0, count).astype(np.float32),
        labels=np.arange(count, dtype=np.int32) % len(LABELS),
        velocities=np.zeros((count, 2), np.float32),
        age_s=nothing,
        unseen_s=nothing,
        origin=np.zeros(count, np.uint8),
        confirmed=np.ones(count, np.bool_),
    )


def through_rgb(scene: Scene) -> av.VideoFrame:
    """The common loop."""
    pixels = scene.frame.picture.to_ndarray(format="bgr24")
    tracks = scene.tracks
    for track_id, (x0, y0, x1, y1), score, label in zip(
        tracks.ids.tolist(), tracks.boxes.astype(int).tolist(), tracks.scores.tolist(), tracks.labels, strict=True
    ):
        colour = colour_by_id(track_id)
        text = f"{LABELS.name(label)} #{track_id} {score:.0%}"
        cv2.rectangle(pixels, (x0, y0), (x1, y1), colour[::-1], 2)
        (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        cv2.rectangle(pixels, (x0, y0 - high - below), (x0 + wide, y0), colour[::-1], -1)
        ink = text_colour_on(colour)[::-1]
        cv2.putText(pixels, text, (x0, y0 - below), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
    return av.VideoFrame.from_ndarray(pixels, "bgr24").reformat(format=scene.frame.picture.format.name)


def timed(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of wall time of each call, one after the other."""
    times = {}
    for name, call in calls.items():
        began_s = time.perf_counter()
        call()
        times[name] = 1000 * (time.perf_counter() - began_s)
    return times


class Contest:
    """One frame drawn in several ways, with tracks that move from step to step."""

    def __init__(self, picture: av.VideoFrame, count: int) -> None:
        self.picture, self.count = picture, count
        self.boxes, self.labels = BoxAnnotator(), LabelAnnotator()
        self.trails, self.hud = TrailAnnotator(), HudAnnotator()
        self.canvas = Canvas(picture)

    def scene(self, step: int) -> Scene:
        frame = Frame(picture=self.picture, index=step, pts=step, time_base=Fraction(1, 25), captured_s=0.0)
        tracks = moving_tracks(self.count, step, (self.picture.width, self.picture.height))
        return Scene(frame=frame, tracks=tracks, labels=LABELS, state=FrameState.DETECTED, fps=25.0)

    def _copy(self) -> None:
        self.canvas = Canvas(self.picture)

    def native(self, step: int) -> dict[str, float]:
        scene = self.scene(step)
        times = timed(
            {
                "copy": self._copy,
                "boxes": lambda: self.boxes.draw(self.canvas, scene),
                "labels": lambda: self.labels.draw(self.canvas, scene),
            }
        )
        return times | {NATIVE: sum(times.values())}

    def optional(self, step: int) -> dict[str, float]:
        scene = self.scene(step)
        return timed(
            {
                "trails": lambda: self.trails.draw(self.canvas, scene),
                "hud": lambda: self.hud.draw(self.canvas, scene),
            }
        )

    def rgb(self, step: int) -> dict[str, float]:
        scene = self.scene(step)
        return timed({RGB: lambda: through_rgb(scene)})


def measure(contest: Contest, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each stage in each frame; the ways take turns after every `TURN` frames."""
    times: dict[str, list[float]] = {}
    for first in range(0, rounds, TURN):
        for way in (contest.native, contest.optional, contest.rgb):
            for step in range(first, min(first + TURN, rounds)):
                for name, value in way(step).items():
                    times.setdefault(name, []).append(value)
    return times


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--tracks", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with av.open(str(packaged_clip(HD_CLIP))) as container:
        picture = next(container.decode(video=0))
    print(machine())
    print(f"{picture.width}x{picture.height} {picture.format.name}, {options.tracks} tracks, {options.rounds} frames")
    contest = Contest(picture, options.tracks)
    measure(contest, 2 * TURN)  # fonts, caches and pools
    times = measure(contest, options.rounds)
    for name, values in times.items():
        deciles = statistics.quantiles(values, n=10)
        print(f"{name:24} {statistics.median(values):7.3f} ms per frame  (p10 {deciles[0]:.3f}, p90 {deciles[-1]:.3f})")
    native, rgb = times[NATIVE], times[RGB]
    ratio = statistics.median(far / near for far, near in zip(rgb, native, strict=True))
    print(f"drawing boxes and labels through RGB takes {ratio:.1f} times as long")
    flicker.report(options.seconds)


if __name__ == "__main__":
    main()
