"""The positions that a label box may take at the box of its track. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from streamer.render.rectangles import Rectangle


class Side(StrEnum):
    """Where a label box lies at its box: at the left unless RIGHT is in the name."""

    ABOVE = "above"
    INSIDE_TOP = "inside top"
    INSIDE_BOTTOM = "inside bottom"
    INSIDE_TOP_RIGHT = "inside top right"
    ABOVE_RIGHT = "above right"
    BELOW = "below"
    BELOW_RIGHT = "below right"


_INSIDE = (Side.INSIDE_TOP, Side.INSIDE_BOTTOM, Side.INSIDE_TOP_RIGHT)
_OUTSIDE = (Side.ABOVE_RIGHT, Side.BELOW, Side.BELOW_RIGHT)
_LARGE_BOX = (Side.ABOVE, *_INSIDE, *_OUTSIDE)
# Inside a small box a label box would hide the object.
_SMALL_BOX = (Side.ABOVE, *_OUTSIDE, *_INSIDE)

# In Python 3.11 reading a member of an Enum takes 0.2 µs.
_ABOVE, _ABOVE_RIGHT, _BELOW, _BELOW_RIGHT = Side.ABOVE, Side.ABOVE_RIGHT, Side.BELOW, Side.BELOW_RIGHT
_INSIDE_BOTTOM, _INSIDE_TOP_RIGHT = Side.INSIDE_BOTTOM, Side.INSIDE_TOP_RIGHT


class Ground(NamedTuple):
    """What label boxes are placed on: width and height of the frame in pixels, and pixels per chroma sample."""

    frame: tuple[int, int]
    grid: tuple[int, int]


def preference(box: Rectangle, size: tuple[int, int]) -> Sequence[Side]:
    """The sides of a box, best first, for a label box of this width and height."""
    width, height = size
    x0, y0, x1, y1 = box
    return _LARGE_BOX if y1 - y0 >= 4 * height and x1 - x0 >= width else _SMALL_BOX


def position(side: Side, box: Rectangle, size: tuple[int, int], ground: Ground) -> tuple[int, int, int] | None:
    """The upper left pixel of a label box on a side of its box, and by how many rows the frame's edge moves it there.

    It lies on the chroma grid and keeps the label box wholly in the frame. None if the label box is larger than the
    frame.

    Args:
        side: of the box.
        box: outline of the object, x0, y0, x1, y1; may reach beyond the frame.
        size: width and height of the label box, multiples of the grid.
        ground: frame and grid.
    """
    (x0, y0, x1, y1), (width, height), (frame, (gx, gy)) = box, size, ground
    furthest_x, furthest_y = (frame[0] - width) // gx * gx, (frame[1] - height) // gy * gy
    if furthest_x < 0 or furthest_y < 0:
        return None
    on_the_right = side is _ABOVE_RIGHT or side is _BELOW_RIGHT or side is _INSIDE_TOP_RIGHT
    x = -((width - x1) // gx) * gx if on_the_right else x0 // gx * gx
    # Rounded towards the line, so that label box and outline join without a gap.
    if side is _ABOVE or side is _ABOVE_RIGHT:
        wanted = -((height - y0) // gy) * gy
    elif side is _BELOW or side is _BELOW_RIGHT:
        wanted = y1 // gy * gy
    elif side is _INSIDE_BOTTOM:
        wanted = min(-((height - y1) // gy) * gy, furthest_y)
    else:
        wanted = max(y0 // gy * gy, 0)
    y = 0 if wanted < 0 else wanted if wanted < furthest_y else furthest_y
    return 0 if x < 0 else x if x < furthest_x else furthest_x, y, abs(y - wanted)


def positions(box: Rectangle, size: tuple[int, int], ground: Ground) -> Iterator[tuple[Side, int, int]]:
    """The sides where a label box fits in the frame, best first, each with its upper left pixel; never empty.

    If it fits nowhere, it is moved into the frame; there is no position for one that is larger than the frame.
    """
    exact = False
    for side in preference(box, size):
        found = position(side, box, size, ground)
        if found is not None and not found[2]:
            exact = True
            yield side, found[0], found[1]
    if not exact and found is not None:
        x, y, _ = position(Side.ABOVE, box, size, ground) or found
        yield Side.ABOVE, x, y


def overlap(one: Rectangle, others: Sequence[Rectangle]) -> int:
    """Number of pixels that a rectangle shares with others."""
    x0, y0, x1, y1 = one
    total = 0
    for left, top, right, bottom in others:
        if top < y1 and y0 < bottom and left < x1 and x0 < right:
            total += (min(x1, right) - max(x0, left)) * (min(y1, bottom) - max(y0, top))
    return total
