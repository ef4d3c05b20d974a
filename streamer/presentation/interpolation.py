"""Boxes of the frames between two detected ones, from both sides. Pure functions; the main thread calls them.

An object that both ends know goes along the motion fields from the earlier end; what it is then off at the later end is
spread over the way. One that only the later end knows is carried back to where it came in, one that only the earlier
end knows is carried on until it leaves or is not recognized any more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamer.motion.motion_field import MotionField
from streamer.motion.propagation import by_camera, propagate
from streamer.presentation.latency_compensation import LEAST_INSIDE, inside
from streamer.values.frame import Frame
from tracking.boxes import overlapping_pairs
from tracking.types import Origin, Tracks

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Following an object led astray where it ends with less overlap than this with where the object is.
_ASTRAY_IOU = 0.3
# One that is carried back is not drawn on top of another one.
_TAKEN_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A detected frame and the tracks on it."""

    frame: Frame
    tracks: Tracks


def between(
    before: Anchor | None, after: Anchor | None, frames: Sequence[Frame], fields: Sequence[MotionField | None]
) -> list[Tracks]:
    """The tracks on each of `frames`, which lie between two detected ones.

    Args:
        before: the earlier one; None if there is none in this segment.
        after: the later one; None if it never came.
        frames: all frames between, in order.
        fields: the steps that lead to each of `frames` and to `after`; None where a shot begins. Nothing is carried
            over the beginning of a shot.

    Returns:
        Tracks with origin INTERPOLATED, or PREDICTED where only one end knows the object.
    """
    cuts = [at for at, field in enumerate(fields) if field is None]
    steps = [field for field in fields if field is not None]
    if before is not None and after is not None and not cuts:
        return _both_sides(before, after, frames, steps)
    shown = [Tracks.empty() for _ in frames]
    if before is not None:
        end = cuts[0] if cuts else len(frames)
        shown[:end] = _one_sided(before.tracks, before, frames[:end], steps[:end])
    if after is not None:
        begin = cuts[-1] if cuts else 0
        back = [field.reversed() for field in fields[:begin:-1] if field is not None]
        shown[begin:] = _one_sided(after.tracks, after, frames[begin:][::-1], back)[::-1]
    return shown


def _both_sides(before: Anchor, after: Anchor, frames: Sequence[Frame], fields: Sequence[MotionField]) -> list[Tracks]:
    _, rows, columns = np.intersect1d(before.tracks.ids, after.tracks.ids, return_indices=True)
    known = _joined(before.tracks.select(rows), after.tracks.select(columns), before, after, frames, fields)
    gone = np.setdiff1d(np.arange(len(before.tracks)), rows)
    come = np.setdiff1d(np.arange(len(after.tracks)), columns)
    ending = _one_sided(before.tracks.select(gone), before, frames, fields[: len(frames)])
    back = [field.reversed() for field in fields[:0:-1]]
    beginning = _one_sided(after.tracks.select(come), after, frames[::-1], back)[::-1]
    shown = []
    for both, come_in, go_out in zip(known, beginning, ending, strict=True):
        more = _together(both, _apart(both, come_in))
        shown.append(_together(more, _apart(more, go_out)))
    return shown


def _joined(
    first: Tracks, second: Tracks, before: Anchor, after: Anchor, frames: Sequence[Frame], fields: Sequence[MotionField]
) -> list[Tracks]:
    """Objects that both ends know; the rows of `first` and `second` are the same objects."""
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
    off = ends - paths[-1]
    span_s = after.frame.time_s - before.frame.time_s
    shown = []
    for frame, path in zip(frames, paths[1:], strict=False):
        share = (frame.time_s - before.frame.time_s) / span_s if span_s > 0 else 0.0
        boxes = path + off * share
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


def _one_sided(tracks: Tracks, anchor: Anchor, frames: Sequence[Frame], fields: Sequence[MotionField]) -> list[Tracks]:
    """Objects carried from one end over `frames`, the nearest first, until they leave or are lost from sight."""
    shown = []
    boxes, velocities = tracks.boxes.astype(np.float64), np.zeros((len(tracks), 2))
    there = np.ones(len(tracks), np.bool_)
    for frame, field in zip(frames, fields, strict=True):
        step = propagate(boxes, velocities, field)
        boxes, velocities = step.boxes, step.velocities
        there &= step.trusted & (inside(boxes, frame) >= LEAST_INSIDE)
        later_s = np.float32(frame.time_s - anchor.frame.time_s)
        carried = dataclasses.replace(
            tracks,
            boxes=boxes.astype(np.float32),
            age_s=np.maximum(tracks.age_s + later_s, 0),
            unseen_s=np.abs(tracks.unseen_s + later_s),
            origin=np.full(len(tracks), Origin.PREDICTED, np.uint8),
        )
        shown.append(carried.select(there))
    return shown


def _apart(kept: Tracks, others: Tracks) -> Tracks:
    """Those of `others` that do not cover one that is kept."""
    if not len(kept) or not len(others):
        return others
    order = np.argsort(kept.boxes[:, 0])
    pairs = overlapping_pairs(others.boxes.astype(np.float64), kept.boxes[order].astype(np.float64), _TAKEN_IOU)
    free = np.ones(len(others), np.bool_)
    free[pairs.rows] = False
    return others.select(free)


def with_others(one: Tracks, other: Tracks) -> Tracks:
    """All of `one`, and of `other` those whose ids are not among them."""
    return _together(one, other.select(~np.isin(other.ids, one.ids)))


def _together(one: Tracks, other: Tracks) -> Tracks:
    if not len(other):
        return one
    fields = (field.name for field in dataclasses.fields(Tracks))
    return Tracks(**{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in fields})


def _overlaps(a: Array, b: Array) -> Array:
    """IoU of each row with the same row of the other, `(N,)`."""
    shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0).prod(axis=1)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    iou: Array = shared / np.maximum(areas - shared, 1e-9)
    return iou
