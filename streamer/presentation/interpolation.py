"""Tracks on the frames between two detected frames. Pure functions, called by the display thread.

An object that both detected frames have follows the motion fields from the earlier one; its offset at the later one is
spread over the path. An object of only one of them is carried forward or back until it leaves the frame or motion
estimation loses it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamer.motion.motion_field import MotionField
from streamer.motion.propagation import by_camera, propagate
from streamer.presentation.latency_compensation import LEAST_VISIBLE, visible_share
from streamer.values.frame import Frame
from tracking.boxes import overlapping_pairs
from tracking.types import Origin, Tracks

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# A carried box that ends with a lower overlap followed something else; the object then moves with the camera alone.
_ASTRAY_IOU = 0.3
# A one-sided box with a higher overlap is not drawn over another one.
_COVERED_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A detected frame with its tracks."""

    frame: Frame
    tracks: Tracks


def interpolated(
    before: Anchor | None, after: Anchor | None, frames: Sequence[Frame], fields: Sequence[MotionField | None]
) -> list[Tracks]:
    """The tracks on each of `frames`, which lie between two detected frames.

    Args:
        before: the earlier detected frame; None if the segment has none.
        after: the later one; None if the segment ended before it.
        frames: all frames between them, in order.
        fields: the motion fields that lead to each of `frames` and to `after`; None where a shot begins. Nothing is
            carried over a cut.

    Returns:
        Tracks with origin INTERPOLATED, or PREDICTED if only one detected frame has the object.
    """
    cuts = [at for at, field in enumerate(fields) if field is None]
    steps = [field for field in fields if field is not None]
    if before is not None and after is not None and not cuts:
        return _from_both_sides(before, after, frames, steps)
    shown = [Tracks.empty() for _ in frames]
    if before is not None:
        end = cuts[0] if cuts else len(frames)
        shown[:end] = _from_one_side(before.tracks, before, frames[:end], steps[:end])
    if after is not None:
        begin = cuts[-1] if cuts else 0
        back = [field.reversed() for field in fields[:begin:-1] if field is not None]
        shown[begin:] = _from_one_side(after.tracks, after, frames[begin:][::-1], back)[::-1]
    return shown


def _from_both_sides(
    before: Anchor, after: Anchor, frames: Sequence[Frame], fields: Sequence[MotionField]
) -> list[Tracks]:
    _, rows, columns = np.intersect1d(before.tracks.ids, after.tracks.ids, return_indices=True)
    common = _common_objects(before.tracks.select(rows), after.tracks.select(columns), before, after, frames, fields)
    ending = before.tracks.select(np.setdiff1d(np.arange(len(before.tracks)), rows))
    beginning = after.tracks.select(np.setdiff1d(np.arange(len(after.tracks)), columns))
    back = [field.reversed() for field in fields[:0:-1]]
    endings = _from_one_side(ending, before, frames, fields[: len(frames)])
    beginnings = _from_one_side(beginning, after, frames[::-1], back)[::-1]
    shown = []
    for both, begins, ends in zip(common, beginnings, endings, strict=True):
        more = _concatenated(both, _uncovered(begins, both))
        shown.append(_concatenated(more, _uncovered(ends, more)))
    return shown


def _common_objects(
    first: Tracks, second: Tracks, before: Anchor, after: Anchor, frames: Sequence[Frame], fields: Sequence[MotionField]
) -> list[Tracks]:
    """The objects of both detected frames; the rows of `first` and `second` are the same objects."""
    ends = second.boxes.astype(np.float64)
    followed = [first.boxes.astype(np.float64)]
    by_camera_alone = [followed[0]]
    velocities = np.zeros((len(first), 2))
    for field in fields:
        step = propagate(followed[-1], velocities, field)
        followed.append(step.boxes)
        velocities = step.velocities
        by_camera_alone.append(by_camera(by_camera_alone[-1] * field.scale, field.camera) / field.scale)
    astray = (_overlaps(followed[-1], ends) < _ASTRAY_IOU)[:, None]
    paths = [np.where(astray, still, moved) for still, moved in zip(by_camera_alone, followed, strict=True)]
    offset = ends - paths[-1]
    span_s = after.frame.time_s - before.frame.time_s
    shown = []
    for frame, path in zip(frames, paths[1:], strict=False):
        share = (frame.time_s - before.frame.time_s) / span_s if span_s > 0 else 0.0
        boxes = path + offset * share
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
        weight = np.float32(share)
        shown.append(
            dataclasses.replace(
                second,
                boxes=boxes.astype(np.float32),
                age_s=first.age_s * (1 - weight) + second.age_s * weight,
                unseen_s=first.unseen_s * (1 - weight) + second.unseen_s * weight,
                origin=np.full(len(second), Origin.INTERPOLATED, np.uint8),
            )
        )
    return shown


def _from_one_side(
    tracks: Tracks, anchor: Anchor, frames: Sequence[Frame], fields: Sequence[MotionField]
) -> list[Tracks]:
    """Objects carried over `frames`, nearest to `anchor` first, until they leave the frame or are lost."""
    shown = []
    boxes, velocities = tracks.boxes.astype(np.float64), np.zeros((len(tracks), 2))
    kept: Flags = np.ones(len(tracks), np.bool_)
    for frame, field in zip(frames, fields, strict=True):
        step = propagate(boxes, velocities, field)
        boxes, velocities = step.boxes, step.velocities
        kept &= step.trusted & (visible_share(boxes, frame) >= LEAST_VISIBLE)
        elapsed_s = np.float32(frame.time_s - anchor.frame.time_s)
        carried = dataclasses.replace(
            tracks,
            boxes=boxes.astype(np.float32),
            age_s=np.maximum(tracks.age_s + elapsed_s, 0),
            unseen_s=np.abs(tracks.unseen_s + elapsed_s),
            origin=np.full(len(tracks), Origin.PREDICTED, np.uint8),
        )
        shown.append(carried.select(kept))
    return shown


def _uncovered(tracks: Tracks, others: Tracks) -> Tracks:
    """Those tracks that do not lie over one of `others`."""
    if not len(others) or not len(tracks):
        return tracks
    order = np.argsort(others.boxes[:, 0])
    pairs = overlapping_pairs(tracks.boxes.astype(np.float64), others.boxes[order].astype(np.float64), _COVERED_IOU)
    free = np.ones(len(tracks), np.bool_)
    free[pairs.rows] = False
    return tracks.select(free)


def joined(tracks: Tracks, others: Tracks) -> Tracks:
    """All tracks, and those of `others` with new ids."""
    return _concatenated(tracks, others.select(~np.isin(others.ids, tracks.ids)))


def _concatenated(one: Tracks, other: Tracks) -> Tracks:
    if not len(other):
        return one
    fields = (field.name for field in dataclasses.fields(Tracks))
    return Tracks(**{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in fields})


def _overlaps(a: Array, b: Array) -> Array:
    """IoU of each row with the same row of the other array, `(N,)`."""
    shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0).prod(axis=1)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    iou: Array = shared / np.maximum(areas - shared, 1e-9)
    return iou
