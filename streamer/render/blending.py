"""Mixing values into samples, and what a pixel mask is on a plane with coarser samples. Pure numpy, no state."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
"""uint8 `(h, w)`: how much of each pixel is covered; 255 is all of it."""

Weights = npt.NDArray[np.float32]


def blend(samples: npt.NDArray[Any], value: npt.NDArray[Any], weight: Weights, shift: int = 0) -> None:
    """Mix a value into samples, rounded to the nearest.

    Args:
        samples: integers, written to; with a last axis of channels if `value` has one.
        value: what to mix in, `()` or `(channels,)`.
        weight: float32 in 0..1 that broadcasts to the shape of `samples` without its channels.
        shift: low bits that stay zero.
    """
    if value.ndim:
        weight = weight[..., np.newaxis]
    before = samples.astype(np.float32)
    samples[...] = before + (value.astype(np.float32) - before) * weight + np.float32(0.5 * (1 << shift))
    if shift:
        samples >>= shift
        samples <<= shift


def coverage(low: int, high: int, step: int, limit: int) -> Weights:
    """How much of each sample from `low // step` on the pixels `low..high` cover; float32 `(samples,)` in 0..1.

    The last sample of a picture whose side `limit` is not a multiple of `step` stands for fewer pixels.
    """
    starts = np.arange(low // step, -(-high // step)) * step
    stops = np.minimum(starts + step, limit)
    covered = np.minimum(stops, high) - np.maximum(starts, low)
    return (covered / (stops - starts)).astype(np.float32)


def reduced(
    mask: Mask, origin: tuple[int, int], steps: tuple[int, int], ends: tuple[bool, bool] = (False, False)
) -> Mask:
    """A mask on the samples of a plane: the mean over the pixels that each stands for.

    Args:
        mask: of pixels.
        origin: x, y of its left upper pixel in the picture.
        steps: pixels per sample, across and down.
        ends: whether it reaches the right and the lower end of the picture, where a sample may stand for fewer pixels.
    """
    if steps == (1, 1):
        return mask
    (height, width), (x, y), (sx, sy) = mask.shape, origin, steps
    left, top, right, bottom = x % sx, y % sy, -(x + width) % sx, -(y + height) % sy
    if left or top or right or bottom:
        padded = np.zeros((top + height + bottom, left + width + right), np.uint8)
        padded[top : top + height, left : left + width] = mask
        if ends[0] and right:
            padded[:, -right:] = padded[:, -right - 1, np.newaxis]
        if ends[1] and bottom:
            padded[-bottom:] = padded[-bottom - 1]
        mask = padded
    small = cv2.resize(mask, (mask.shape[1] // sx, mask.shape[0] // sy), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
