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
# protanopia, where all differences are smaller. 16 of the palette's 120 pairs do.
_ALIKE, _ALIKE_TO_DICHROMATS = 25.0, 12.0
# How much the distance between two tracks counts beside that of their colours. With 1, of 100 tracks at random places
# none has the colour of one of its three nearest, and 1% of these pairs look alike; all 16 colours are used.
_DISTANCE_WEIGHT = 1.0
_REMEMBERED_TRACKS = 1000
# A track that is not shown may come back, so its colour stays taken for this time, seconds of media time.
_GONE_S = 3.0


@cache
def distinctness() -> npt.NDArray[np.float64]:
    """How different two colours of the palette look, `(N, N)`: 0 for the same one, below 1 if they look alike."""
    visions = ((None, _ALIKE), (DEUTERANOPIA, _ALIKE_TO_DICHROMATS), (PROTANOPIA, _ALIKE_TO_DICHROMATS))
    found: npt.NDArray[np.float64] = np.min([differences(PALETTE, vision) / least for vision, least in visions], axis=0)
    return found


class TrackColours:
    """The colour of each track, which it keeps as long as it lives.

    A new track gets the first colour of the palette that looks like none of those on display or just gone. If all do,
    it gets the one that is least alike to those of the tracks near it. The same scenes give the same colours.
    """

    def __init__(self) -> None:
        self._colours: OrderedDict[int, int] = OrderedDict()
        self._seen: dict[int, tuple[float, npt.NDArray[np.float32]]] = {}

    def of(self, tracks: Tracks, time_s: float) -> Mapping[int, Colour]:
        """The colour of each of the tracks by its id, at a media time in seconds."""
        known, ids = self._colours, tracks.ids.tolist()
        seen = {track_id: (time_s, box) for track_id, box in zip(ids, tracks.boxes, strict=True)}
        new = [track_id for track_id in ids if track_id not in known]
        if new:
            self._seen = {one: last for one, last in self._seen.items() if 0 <= time_s - last[0] <= _GONE_S}
            self._choose(sorted(set(new)), self._seen | seen)
        self._seen.update(seen)
        for track_id in ids:
            known.move_to_end(track_id)
        while len(known) > max(_REMEMBERED_TRACKS, len(ids)):
            self._seen.pop(known.popitem(last=False)[0], None)
        return {track_id: PALETTE[known[track_id]] for track_id in ids}

    def _choose(self, new: list[int], seen: Mapping[int, tuple[float, npt.NDArray[np.float32]]]) -> None:
        placed = [track_id for track_id in seen if track_id in self._colours]
        for track_id in new:
            others = np.array([seen[other][1] for other in placed], np.float64).reshape(-1, 4)
            box = seen[track_id][1].astype(np.float64)
            self._colours[track_id] = _best(box, others, [self._colours[other] for other in placed])
            placed.append(track_id)


def _best(box: npt.NDArray[np.float64], others: npt.NDArray[np.float64], colours: list[int]) -> int:
    """The colour for a box `(4,)` beside others `(N, 4)` with these colours."""
    between = np.maximum(np.maximum(box[:2] - others[:, 2:], others[:, :2] - box[2:]), 0)
    gaps_px = np.hypot(between[:, 0], between[:, 1]) + (box[2:] - box[:2]).max()
    distinct = distinctness()[colours]
    # (tracks, palette): the merit of each colour beside each track; the lowest counts.
    merit = np.where(distinct < 1, (distinct + _DISTANCE_WEIGHT) * gaps_px[:, np.newaxis], np.inf)
    return int(merit.min(axis=0, initial=np.inf).argmax())
