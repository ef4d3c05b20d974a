"""Boxes of the frames between two detected ones, from both sides. Pure functions."""

from __future__ import annotations

import numpy as np

from tracking.types import Origin, Tracks


def interpolate(before: Tracks, after: Tracks, fraction: float) -> Tracks:
    """The objects that are known at both ends, moved linearly between them.

    Args:
        before: tracks at the earlier detected frame.
        after: tracks at the later one.
        fraction: where between the two in media time, 0 = before, 1 = after.

    Returns:
        Tracks with origin INTERPOLATED; an object that only one end knows is left out, since nothing tells when it
        came or went. Scores and labels are the later end's.
    """
    _, rows_before, rows_after = np.intersect1d(before.ids, after.ids, return_indices=True)
    first, second = before.select(rows_before), after.select(rows_after)
    weight = np.float32(fraction)
    return Tracks(
        ids=second.ids,
        boxes=first.boxes * (1 - weight) + second.boxes * weight,
        scores=second.scores,
        labels=second.labels,
        velocities=second.velocities,
        age_s=first.age_s * (1 - weight) + second.age_s * weight,
        unseen_s=first.unseen_s * (1 - weight) + second.unseen_s * weight,
        origin=np.full(len(second), Origin.INTERPOLATED, np.uint8),
        confirmed=second.confirmed,
    )
