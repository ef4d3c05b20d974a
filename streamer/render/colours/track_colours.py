"""Gives each track a colour that no track near it has. Used by the display thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from streamer.render.colours.differences import DEUTERANOPIA, PROTANOPIA, differences
from streamer.render.colours.palette import PALETTE
from streamer.values.drawable import Colour
from tracking.types import Tracks

# Two colours of a smaller CIEDE2000 difference look alike: with normal vision, and under simulated deuteranopia or
# protanopia, where all differences are smaller. Eight of the palette's 120 pairs do.
_ALIKE, _ALIKE_TO_DICHROMATS = 25.0, 12.0
_REMEMBERED_TRACKS = 1000


@cache
def alike() -> npt.NDArray[np.bool_]:
    """Whether two colours of the palette look alike, `(N, N)`; each looks like itself."""
    found: npt.NDArray[np.bool_] = differences(PALETTE) < _ALIKE
    for vision in (DEUTERANOPIA, PROTANOPIA):
        found |= differences(PALETTE, vision) < _ALIKE_TO_DICHROMATS
    return found


class TrackColours:
    """The colour of each track, which it keeps as long as it lives.

    A new track gets the first colour of the palette that looks like none of the colours on display. Where all do, it
    gets the one whose nearest alike track is furthest away. The same tracks in the same order get the same colours.
    """

    def __init__(self) -> None:
        self._colours: OrderedDict[int, int] = OrderedDict()

    def of(self, tracks: Tracks) -> Mapping[int, Colour]:
        """The colour of each of the tracks by its id."""
        known, ids = self._colours, tracks.ids.tolist()
        new = [track_id for track_id in ids if track_id not in known]
        if new:
            self._choose(sorted(set(new)), tracks)
        for track_id in ids:
            known.move_to_end(track_id)
        while len(known) > max(_REMEMBERED_TRACKS, len(ids)):
            known.popitem(last=False)
        return {track_id: PALETTE[known[track_id]] for track_id in ids}

    def _choose(self, new: list[int], tracks: Tracks) -> None:
        rows = {track_id: row for row, track_id in enumerate(tracks.ids.tolist())}
        boxes = tracks.boxes.astype(np.float64)
        placed = [track_id for track_id in rows if track_id in self._colours]
        for track_id in new:
            nearest = np.full(len(PALETTE), np.inf)
            if placed:
                others = boxes[[rows[other] for other in placed]]
                colours = [self._colours[other] for other in placed]
                # (tracks, palette): the distance of each track to the new one, where it has an alike colour.
                apart = np.where(alike()[colours], _gaps(boxes[rows[track_id]], others)[:, np.newaxis], np.inf)
                nearest = apart.min(axis=0)
            self._colours[track_id] = int(nearest.argmax())
            placed.append(track_id)


def _gaps(box: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The distance of a box `(4,)` to each of others `(N, 4)`, pixels: between edges, and less than 0 if they overlap.

    Where boxes overlap, those with the nearer centres are nearer.
    """
    between = np.maximum(np.maximum(box[:2] - others[:, 2:], others[:, :2] - box[2:]), 0)
    gaps = np.hypot(between[:, 0], between[:, 1])
    centres = np.hypot(*((others[:, :2] + others[:, 2:]) / 2 - (box[:2] + box[2:]) / 2).T)
    return np.asarray(np.where(gaps > 0, gaps, -1 / (1 + centres)), np.float64)
