"""Draw your own annotation: hide people behind a filled box.

    python examples/own_annotator.py clip.mp4 -o anonymous.mp4

An annotator is any object with `draw(canvas, scene)`. It draws on the frame's native planes: all other pixels stay
bit-identical.
"""

from __future__ import annotations

import argparse

import streamer

HIDDEN = frozenset({"Person", "Man", "Woman", "Boy", "Girl", "Human face"})
GREY = (90, 90, 90)


class HidePeople:
    """Fills the boxes of people, with a margin for the motion between frames."""

    def draw(self, canvas: streamer.Drawable, scene: streamer.Scene) -> None:
        """Colours are RGB; coordinates are pixels of the frame and are clipped to it."""
        for label, (x0, y0, x1, y1) in zip(scene.tracks.labels, scene.tracks.boxes, strict=True):
            if scene.labels.name(label) in HIDDEN:
                margin = 0.1 * (x1 - x0)
                canvas.fill((x0 - margin, y0 - margin, x1 + margin, y1 + margin), GREY)


def main() -> None:
    """Parse the options and annotate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("-o", "--output", action="append", required=True)
    parser.add_argument("--detector", default="auto")
    options = parser.parse_args()
    # Own annotators draw after the built-in ones, which are switched off here.
    quiet = {"draw.boxes": False, "draw.labels": False}
    with streamer.open(
        options.source, detector=options.detector, annotators=[HidePeople()], outputs=options.output, settings=quiet
    ) as scenes:
        frames = sum(1 for _ in scenes)
    print(f"{frames} frames written")


if __name__ == "__main__":
    main()
