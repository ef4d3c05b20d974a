"""On which frames objects were found, for those who want to know how old a box is. Owned by the main thread."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque

import numpy as np

from streamer.values.frame import Frame
from tracking.types import IdArray, Origin, Tracks

_OBJECTS = 1000
_EACH = 64


class LastDetected:
    """The last frames on which each of the objects of late was found."""

    def __init__(self) -> None:
        self._pts: OrderedDict[int, deque[int]] = OrderedDict()

    def add(self, frame: Frame, tracks: Tracks) -> None:
        """Take in the tracks on a detected frame; frames come in order of time."""
        for track_id in tracks.ids[tracks.origin == Origin.DETECTED].tolist():
            self._pts.setdefault(track_id, deque(maxlen=_EACH)).append(frame.pts)
            self._pts.move_to_end(track_id)
        while len(self._pts) > _OBJECTS:
            self._pts.popitem(last=False)

    def found_pts(self, ids: IdArray, pts: int) -> IdArray:
        """For each object the pts of the frame that it was found on last, at or before `pts`; else of the first one
        behind; `pts` itself where nothing is known of it.
        """
        found = np.full(len(ids), pts, np.int64)
        for row, track_id in enumerate(ids.tolist()):
            seen = self._pts.get(track_id)
            if seen:
                found[row] = seen[max(bisect_right(seen, pts) - 1, 0)]
        return found
