"""A tracker: each detection gets the id of the nearest box of the frame before, with `--tracker nearest`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import streamer
from tracking.types import Motion

Array = npt.NDArray[Any]


class NearestTracker:
    """Follows boxes by the distance of their centres. The keyword arguments are `tracker.options`.

    Args:
        max_distance_px: a detection further away than this is a new object.
    """

    def __init__(self, *, max_distance_px: float = 60.0) -> None:
        if max_distance_px <= 0:
            raise ValueError(f"max_distance_px must be above 0, not {max_distance_px}")
        self._max_distance_px = max_distance_px
        self._tracks = streamer.Tracks.empty()
        self._next_id = 1

    def update(
        self,
        detections: streamer.Detections,
        time_s: float,  # noqa: ARG002
        motion: Motion | None = None,  # noqa: ARG002
    ) -> streamer.Tracks:
        """The tracks on the frame of these detections."""
        ids = np.zeros(len(detections), np.int64)
        free = dict(zip(self._tracks.ids.tolist(), centres(self._tracks.boxes), strict=True))
        for row, centre in enumerate(centres(detections.boxes)):
            distances = {track_id: float(np.linalg.norm(centre - old)) for track_id, old in free.items()}
            nearest = min(distances, key=distances.__getitem__, default=0)
            if nearest and distances[nearest] <= self._max_distance_px:
                ids[row] = nearest
                del free[nearest]
            else:
                ids[row] = self._next_id
                self._next_id += 1
        self._tracks = tracks_of(ids, detections, streamer.Origin.DETECTED)
        return self._tracks

    def to_carry(self) -> Array:
        """This tracker does not use the motion in the images."""
        return np.empty((0, 4))

    def predict(self, time_s: float) -> streamer.Tracks:  # noqa: ARG002
        """The tracks where they were seen last."""
        now = self._tracks
        return tracks_of(now.ids, streamer.Detections(now.boxes, now.scores, now.labels), streamer.Origin.PREDICTED)

    def reset(self) -> None:
        """Forget all tracks; ids are never used again."""
        self._tracks = streamer.Tracks.empty()


def centres(boxes: Array) -> Array:
    """Centres `(N, 2)` of boxes `(N, 4)`, pixels."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def tracks_of(ids: Array, detections: streamer.Detections, origin: streamer.Origin) -> streamer.Tracks:
    """Tracks without motion and age."""
    count = len(ids)
    return streamer.Tracks(
        ids=ids,
        boxes=detections.boxes,
        scores=detections.scores,
        labels=detections.labels,
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.zeros(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        origin=np.full(count, origin),
        confirmed=np.ones(count, np.bool_),
    )
