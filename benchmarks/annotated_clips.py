"""How much later frames of a camera are shown while an annotated clip is made, with and without it in turns.

    python -m benchmarks.annotated_clips [--turns N] [--seconds S]

Frames of an HD clip fall due 25 times a second; each is decoded and drawn on. The age is the time from when it is due
until it is drawn. In every second turn a process makes annotated clips, one after the other.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np

from benchmarks.clips import looped, machine
from streamer.clips.annotated.clips import AnnotatedClips, Order
from streamer.clips.annotated.render import ClipBoxes
from streamer.interfaces import Scene
from streamer.render.annotators import Renderer
from streamer.render.boxes import BoxAnnotator
from streamer.sources.file.file import FileSource
from streamer.values.states import FrameState

FPS = 25
ORDER = Order("EVENT", "clip.mp4", "clip.boxes.json", "annotated.mp4")


def make_clip(folder: Path) -> None:
    """A clip of a minute with a moving box."""
    looped(folder / ORDER.clip, 12)
    frames = []
    for number in range(60 * FPS):
        x = 0.4 + 0.3 * np.sin(number / 50)
        track = {"id": 1, "label": "Car", "score": 0.9, "box": [x, 0.4, x + 0.2, 0.7]}
        frames.append({"time_s": number / FPS, "tracks": [track]})
    (folder / ORDER.boxes).write_text(json.dumps({"version": 1, "frames": frames}))


def ages_ms(folder: Path, seconds: float) -> list[float]:
    """The age of each frame of a turn, milliseconds."""
    boxes, renderer, found = ClipBoxes(folder / ORDER.boxes), Renderer((BoxAnnotator(),)), []
    waits = threading.Event()
    with FileSource(folder / ORDER.clip, threads=1) as source:
        began_s = time.monotonic()
        for number, frame in enumerate(itertools.islice(source, round(seconds * FPS))):
            due_s = began_s + number / FPS
            waits.wait(max(0.0, due_s - time.monotonic()))
            tracks = boxes.at(frame.time_s, (frame.width, frame.height))
            renderer.render(Scene(frame, tracks, boxes.labels, FrameState.DETECTED))
            found.append((time.monotonic() - due_s) * 1000)
    return found


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    av.logging.set_level(av.logging.ERROR)
    ages: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_clip(folder)
        for turn in range(given.turns):
            beside = turn % 2 == 1
            with ExitStack() as stack:
                if beside:
                    annotated = stack.enter_context(AnnotatedClips(folder, lambda _order, _size: None))
                    for _ in range(10):
                        annotated.put(ORDER)
                ages[beside] += ages_ms(folder, given.seconds)
    print(f"{machine()}: {given.turns} turns of {given.seconds:g} s")
    for share in (50, 95, 99):
        alone, with_clip = (float(np.percentile(ages[beside], share)) for beside in (False, True))
        print(f"p{share}: {alone:.1f} ms alone, {with_clip:.1f} ms beside it: {with_clip / alone:.2f} times")


if __name__ == "__main__":
    main()
