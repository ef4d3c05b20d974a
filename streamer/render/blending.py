"""Blends values into samples, and reduces pixel masks to planes with coarser samples. Pure functions."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from streamer.values.drawable import Mask

Weights = npt.NDArray[np.float32]


def blend(samples: npt.NDArray[Any], value: npt.NDArray[Any], weight: Weights, shift: int = 0) -> None:
    """Blend a value into samples; results are rounded to the nearest.

    Args:
        samples: integers, changed in place; the last axis is channels if `value` has them.
        value: of shape `()` or `(channels,)`.
        weight: float32 in 0..1, broadcast to the shape of `samples` without channels.
        shift: number of low bits that stay zero.
    """
    if value.ndim:
        weight = weight[..., np.newaxis]
    before = samples.astype(np.float32)
    samples[...] = before + (value.astype(np.float32) - before) * weight + np.float32(0.5 * (1 << shift))
    if shift:
        samples >>= shift
        samples <<= shift


def coverage(low: int, high: int, step: int, limit: int) -> Weights:
    """Covered part of each sample that the pixels `low..high` touch; float32 `(samples,)` in 0..1.

    Where the frame's side `limit` is no multiple of `step`, the last sample stands for fewer pixels.
    """
    starts = np.arange(low // step, -(-high // step)) * step
    stops = np.minimum(starts + step, limit)
    covered = np.minimum(stops, high) - np.maximum(starts, low)
    return (covered / (stops - starts)).astype(np.float32)


def reduced(
    mask: Mask, origin: tuple[int, int], steps: tuple[int, int], ends: tuple[bool, bool] = (False, False)
) -> Mask:
    """Reduce a mask to the samples of a plane: the mean over the pixels of each sample.

    Args:
        mask: one value for each pixel.
        origin: x, y of its upper left pixel in the frame.
        steps: pixels per sample, across and down.
        ends: whether it reaches the right and the lower edge of the frame, where a sample may stand for fewer pixels.
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


def widened(mask: Mask, width: int) -> Mask:
    """A mask scaled to another width, with the same height; the mask itself if it has this width."""
    height, columns = mask.shape
    if columns == width or not columns or not width:
        return mask
    interpolation = cv2.INTER_AREA if width < columns else cv2.INTER_LINEAR
    return cv2.resize(mask, (width, height), interpolation=interpolation).astype(np.uint8, copy=False)
