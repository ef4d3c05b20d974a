"""Draw an annotation of your own: hide people behind a filled box.

python examples/own_annotator.py clip.mp4 anonymous.mp4

An annotator is any object with `draw(canvas, scene)`. It draws on the frame's native planes: all other pixels stay
bit-identical.
"""

from __future__ import annotations

import sys

import streamer

HIDDEN = {"Person", "Man", "Woman", "Boy", "Girl", "Human face"}
GREY = (90, 90, 90)


class HidePeople:
    """Fills the boxes of people, with a margin for the motion between frames."""

    def draw(self, canvas: streamer.Drawable, scene: streamer.Scene) -> None:
        """Colours are RGB; coordinates are pixels of the frame and are clipped to it."""
        for item in scene.objects:
            if item.label in HIDDEN:
                (x0, y0, x1, y1), margin = item.box, 0.1 * item.width
                canvas.fill((x0 - margin, y0 - margin, x1 + margin, y1 + margin), GREY)


# Annotators of your own draw after the built-in ones, which are switched off here.
quiet = {"draw.boxes": False, "draw.labels": False}
_, clip, output = sys.argv if len(sys.argv) == 3 else sys.exit(__doc__)
streamer.open(clip, annotators=[HidePeople()], outputs=output, settings=quiet).run()
