"""How often drawn boxes change their style and labels change their place, on generated sequences.

    python -m benchmarks.flicker [--seconds 60]

26 objects walk through 1280x720 at 25 fps and pass one another; each detection is missed with a probability of 10 %,
and boxes and scores have noise. The tracker is `cascade`. `file`: every frame is detected and shown, as for a file.
`live`: `overlay: now` with a detector that takes 0.08 s. The annotators draw on a canvas that records the calls:

* a style change: the outline of a track is dashed on one frame and solid on the next, or the reverse.
* a label move: the label of a track on two successive frames lies at another place relative to its box (by more than
  6 pixels beyond the change of the box), has another text length, appears on a later frame than its box, or disappears.

`benchmarks.drawing` prints these figures, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from unittest import mock

import av
import numpy as np
import numpy.typing as npt

from streamer.interfaces import Annotator, Scene
from streamer.presentation.every_frame import EveryFrame
from streamer.presentation.live import ShowNow
from streamer.presentation.presentation import Presentation, Presented
from streamer.registry import TRACKERS
from streamer.render.boxes import BoxAnnotator
from streamer.render.canvas import Canvas
from streamer.render.labels.annotator import LabelAnnotator
from streamer.render.labels.label_boxes import LabelBoxes
from streamer.values.delivery import Arrived, Detected
from streamer.values.drawable import Tile
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

SIZE, FPS = (1280, 720), 25
OBJECTS, MISSED = 26, 0.1
LATENCY_FRAMES = 2
LABELS = LabelTable(("Person", "Car", "Bicycle", "Traffic light"))
# A label that is further from where it was, relative to its box, has moved; grid and rounding stay below this.
_SAME_PLACE_PX = 6

Boxes = npt.NDArray[np.float32]


def walks(frames: int, seed: int = 3) -> Boxes:
    """Boxes `(frames, OBJECTS, 4)` of people who walk with changing speed and turn at the edges of the frame."""
    rng = np.random.default_rng(seed)
    feet = rng.uniform((60, 200), (1220, 700), (OBJECTS, 2))
    speeds = rng.normal(0, (40, 12), (OBJECTS, 2))
    boxes = np.empty((frames, OBJECTS, 4), np.float32)
    for index in range(frames):
        speeds += rng.normal(0, 2, speeds.shape)
        speeds *= 0.998
        feet += speeds / FPS
        outside = (feet < (40, 150)) | (feet > (1240, 715))
        speeds = np.where(outside, np.copysign(speeds, np.array(SIZE) / 2 - feet), speeds)
        height = 40 + 0.22 * feet[:, 1]
        x, y = feet.T
        boxes[index] = np.column_stack([x - 0.2 * height, y - height, x + 0.2 * height, y])
    return boxes


def detections(truth: Boxes, seed: int = 4) -> list[Detections]:
    """Noisy detections of each frame, without those that are missed."""
    rng = np.random.default_rng(seed)
    found = []
    for boxes in truth:
        kept = rng.random(len(boxes)) >= MISSED
        noisy = boxes + rng.normal(0, 1, boxes.shape).astype(np.float32)
        scores = np.clip(rng.normal(0.8, 0.08, len(boxes)), 0.3, 1)
        labels = np.arange(len(boxes), dtype=np.int32) % len(LABELS)
        found.append(Detections(noisy[kept], scores[kept].astype(np.float32), labels[kept]))
    return found


def frames_of(count: int) -> list[Frame]:
    """Grey frames."""
    picture = av.VideoFrame.from_ndarray(np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8), format="yuv420p")
    return [Frame(picture, index, index, Fraction(1, FPS), 0.0) for index in range(count)]


def scenes(presentation: Presentation, count: int, latency_frames: int = 0) -> Iterator[Scene]:
    """The scenes of the sequence; results arrive `latency_frames` after their frames."""
    found, frames = detections(walks(count)), frames_of(count)
    for frame in frames:
        deliveries: list[Arrived | Detected] = [Arrived(frame)] if latency_frames else []
        if frame.index >= latency_frames:
            deliveries.append(Detected(frames[frame.index - latency_frames], found[frame.index - latency_frames]))
        for delivery in deliveries:
            for presented in presentation.take(delivery):
                yield _scene(presented, presentation)


def _scene(presented: Presented, presentation: Presentation) -> Scene:
    frame, tracks = presented.frame, presented.tracks.select(presented.tracks.confirmed)
    found_pts = presentation.objects.found_pts(tracks.ids, frame.pts)
    return Scene(frame, tracks, LABELS, presented.state, presented.detections, found_pts)


@dataclass
class Drawn:
    """What was drawn for each track on one frame: its outline, and its label as text and rectangle."""

    dashed: dict[int, bool] = field(default_factory=dict)
    labels: dict[int, tuple[str, npt.NDArray[np.float64]]] = field(default_factory=dict)
    boxes: dict[int, npt.NDArray[np.float64]] = field(default_factory=dict)


class Recorder(Canvas):
    """A canvas that also records outlines and label boxes."""

    def record(self, scene: Scene, texts: dict[int, tuple[str, object]]) -> Drawn:
        """What is drawn from now on; `texts` has the text of each label box by the `id` of its tile."""
        self.drawn, self.texts = Drawn(), texts
        boxes = zip(scene.tracks.ids.tolist(), scene.tracks.boxes.tolist(), strict=True)
        self._ids = {tuple(box): track for track, box in boxes}
        self.drawn.boxes = {track: np.array(box, np.float64) for box, track in self._ids.items()}
        return self.drawn

    def outline(self, box: Sequence[float], *_: Any, dashed: bool = False, **__: Any) -> None:
        self.drawn.dashed[self._ids[tuple(box)]] = dashed

    def paste(self, tile: Tile, x: int, y: int) -> None:
        text, _ = self.texts[id(tile)]
        track = int(text.split("#")[1].split()[0])
        self.drawn.labels[track] = (text, np.array([x, y, x + tile[0].shape[1], y], np.float64))


def record(shown: Iterator[Scene], annotators: Sequence[Annotator]) -> Iterator[Drawn]:
    """What the annotators draw for each scene."""
    texts: dict[int, tuple[str, object]] = {}
    render = LabelBoxes.render

    def noted(boxes: LabelBoxes, canvas: Any, pieces: Any, *rest: Any) -> Any:
        rendered = render(boxes, canvas, pieces, *rest)
        # The tile is kept here, so that its id is not given to another one.
        texts[id(rendered[0])] = " ".join(word for piece in pieces for word, _ in piece), rendered
        return rendered

    with mock.patch.object(LabelBoxes, "render", noted):
        for scene in shown:
            canvas = Recorder(scene.frame.picture)
            drawn = canvas.record(scene, texts)
            for annotator in annotators:
                annotator.draw(canvas, scene)
            yield drawn


@dataclass
class Changes:
    """Counts over a sequence."""

    frames: int = 0
    boxes: int = 0
    dashed: int = 0
    labels: int = 0
    styles: int = 0
    moves: int = 0
    scores: int = 0

    def add(self, before: Drawn, now: Drawn) -> None:
        """Compare a frame with the one before it."""
        self.frames += 1
        self.boxes += len(now.boxes)
        self.dashed += sum(now.dashed.values())
        self.labels += len(now.labels)
        self.styles += sum(before.dashed.get(track, dashed) != dashed for track, dashed in now.dashed.items())
        for track in now.boxes.keys() & before.boxes.keys():
            one, other = before.labels.get(track), now.labels.get(track)
            if one is None or other is None:
                self.moves += one is not other
                continue
            change = other[1] - one[1]
            moved = np.abs(now.boxes[track] - before.boxes[track]).max()
            same = min(abs(change[0]), abs(change[2])) <= moved + _SAME_PLACE_PX >= abs(change[1])
            words = [len(text.split()) for text, _ in (one, other)]
            self.moves += words[0] != words[1] or not same
            self.scores += words[0] == words[1] and one[0] != other[0]

    def line(self, name: str) -> str:
        """The figures, a second."""
        seconds = self.frames / FPS
        return (
            f"{name:5} {self.styles / seconds:6.2f} style changes, {self.moves / seconds:6.2f} label moves, "
            f"{self.scores / seconds:6.2f} new scores a second; "
            f"{self.dashed / self.boxes:.0%} of boxes dashed, {self.labels / self.boxes:.0%} with a label"
        )


def measure(name: str, seconds: float) -> Changes:
    """Draw a sequence and count: `file` or `live`."""
    tracker, count = TRACKERS["cascade"](), round(seconds * FPS)
    shown = scenes(EveryFrame(tracker), count) if name == "file" else scenes(ShowNow(tracker), count, LATENCY_FRAMES)
    changes, before = Changes(), None
    for drawn in record(shown, [BoxAnnotator(), LabelAnnotator()]):
        if before is not None:
            changes.add(before, drawn)
        before = drawn
    return changes


def report(seconds: float) -> None:
    """Measure and print both sequences."""
    print(f"{OBJECTS} objects, {MISSED:.0%} of detections missed, {FPS} fps, {seconds:g} s")
    for name in ("file", "live"):
        print(measure(name, seconds).line(name))


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    report(parser.parse_args().seconds)


if __name__ == "__main__":
    main()
