"""Rectangles and rectangle outlines, clipped to the frame and mapped to each plane's samples. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rectangle = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels, half-open."""


def rounded(box: Sequence[float] | npt.NDArray[np.floating[Any]]) -> Rectangle:
    """A box on whole pixels: each edge is rounded to the nearest, halves to the right and down."""
    x0, y0, x1, y1 = box
    return math.floor(x0 + 0.5), math.floor(y0 + 0.5), math.floor(x1 + 0.5), math.floor(y1 + 0.5)


def ring(outer: Rectangle, thickness: tuple[int, int]) -> Sequence[Rectangle]:
    """The four bars (top, bottom, left, right) just inside a rectangle; the whole rectangle where they would meet.

    Args:
        outer: the rectangle.
        thickness: columns of the upright bars, and rows of the level ones.
    """
    (x0, y0, x1, y1), (wide, high) = outer, thickness
    if x1 - x0 <= 2 * wide or y1 - y0 <= 2 * high:
        return (outer,)
    top, bottom = y0 + high, y1 - high
    return (x0, y0, x1, top), (x0, bottom, x1, y1), (x0, top, x0 + wide, bottom), (x1 - wide, top, x1, bottom)


def clipped(rectangles: Sequence[Rectangle], width: int, height: int) -> list[Rectangle]:
    """The parts of rectangles that lie in the frame; empty ones are left out."""
    kept = []
    for x0, y0, x1, y1 in rectangles:
        left, top = x0 if x0 > 0 else 0, y0 if y0 > 0 else 0
        right, bottom = x1 if x1 < width else width, y1 if y1 < height else height
        if left < right and top < bottom:
            kept.append((left, top, right, bottom))
    return kept


def covering(rectangles: Sequence[Rectangle], steps: tuple[int, int]) -> list[Rectangle]:
    """The samples that pixel rectangles touch, on a plane with `steps` pixels per sample."""
    sx, sy = steps
    return [(x0 // sx, y0 // sy, -(-x1 // sx), -(-y1 // sy)) for x0, y0, x1, y1 in rectangles]


def dash_lengths(thickness: int) -> tuple[int, int]:
    """Length of a dash, and of a dash with its gap, in pixels: multiples of 4, so of every chroma grid."""
    on, gap = 4 * (thickness + 1), 4 * -(-(thickness + 1) // 2)
    return on, on + gap


def dash_outline(
    samples: npt.NDArray[Any],
    outer: Rectangle,
    thickness: tuple[int, int],
    size: tuple[int, int],
    steps: tuple[int, int],
    grid: tuple[int, int],
    value: npt.NDArray[Any],
) -> None:
    """Draw a dashed rectangle outline, solid at the corners, on one plane.

    Args:
        samples: the plane, `(h, w)` or `(h, w, channels)`.
        outer: the rectangle in pixels of the frame; the line lies just inside.
        thickness: columns of the upright lines, and rows of the level ones.
        size: width and height of the frame in pixels.
        steps: pixels per sample of this plane.
        grid: pixels per sample of the coarsest plane; dashes start on it, so that they match in all planes.
        value: code value of the line.
    """
    x0, y0, x1, y1 = outer
    wide, high = thickness
    bars = [(x0, y0, x1, y0 + high), (x0, y1 - high, x1, y1), (x0, y0, x0 + wide, y1), (x1 - wide, y0, x1, y1)]
    for index, bar in enumerate(bars):
        # Clipped in pixels: a coarse sample at the edge also stands for pixels outside the frame.
        for left, top, right, bottom in covering(clipped((bar,), *size), steps):
            region = samples[top:bottom, left:right]
            vertical = index >= 2
            # Dashes of level lines are measured in columns, as the thickness of upright lines is.
            on, period = dash_lengths(high if vertical else wide)
            start, first, stop, step = (y0, top, y1, steps[1]) if vertical else (x0, left, x1, steps[0])
            coarse = grid[1] if vertical else grid[0]
            anchor = start // coarse * coarse // step
            along = region.swapaxes(0, 1) if vertical else region
            _dash(along, anchor - first, (on // step, period // step), value)
            along[:, max(-(-stop // step) - on // step - first, 0) :] = value


def _dash(along: npt.NDArray[Any], first: int, pattern: tuple[int, int], value: npt.NDArray[Any]) -> None:
    """Set dashes along axis 1 of a view; the first starts at `first` <= 0."""
    on, period = pattern
    start = first % -period
    if start < 0:
        along[:, : max(start + on, 0)] = value
        start += period
    repeats = max(along.shape[1] - start, 0) // period
    stop = start + repeats * period
    if repeats:
        # Splitting an axis of a view does not copy, so this changes the original.
        whole = along[:, start:stop]
        whole.reshape(len(whole), repeats, period, *whole.shape[2:])[:, :, :on] = value
    along[:, stop : stop + on] = value
