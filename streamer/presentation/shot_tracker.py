"""The tracker of a stream, and the frames on which each object was detected. Owned by the display thread."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque

import numpy as np

from streamer.values.frame import Frame
from tracking.types import Detections, IdArray, Motion, Origin, Tracker, Tracks

_REMEMBERED_OBJECTS = 1000
_FRAMES_PER_OBJECT = 64


class ShotTracker:
    """Updates a tracker from one detected frame to the next, and resets it at cuts.

    Args:
        tracker: owned by this object from now on.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._detected_pts: OrderedDict[int, deque[int]] = OrderedDict()

    def update(
        self, frame: Frame, detections: Detections, motion: Motion | None = None, *, cut: bool = False
    ) -> Tracks:
        """The tracks on a detected frame; frames come in order of time.

        Args:
            frame: the detected frame.
            detections: on that frame.
            motion: of the picture since the last detected frame; None if it is unknown.
            cut: a new shot began since then, so no object is the same.
        """
        if cut:
            self.tracker.reset()
            motion = None
        tracks = self.tracker.update(detections, frame.time_s, motion)
        for track_id in tracks.ids[tracks.origin == Origin.DETECTED].tolist():
            self._detected_pts.setdefault(track_id, deque(maxlen=_FRAMES_PER_OBJECT)).append(frame.pts)
            self._detected_pts.move_to_end(track_id)
        while len(self._detected_pts) > _REMEMBERED_OBJECTS:
            self._detected_pts.popitem(last=False)
        return tracks

    def found_pts(self, ids: IdArray, pts: int) -> IdArray:
        """For each object, the pts of the last frame at or before `pts` on which it was detected.

        For an object that was only detected later, the first of those frames; for an unknown object, `pts` itself.
        """
        found = np.full(len(ids), pts, np.int64)
        for row, track_id in enumerate(ids.tolist()):
            known = self._detected_pts.get(track_id)
            if known:
                found[row] = known[max(bisect_right(known, pts) - 1, 0)]
        return found
