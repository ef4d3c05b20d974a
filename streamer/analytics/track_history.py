"""What is known of each track from the frames on which it was shown. Owned by the display thread of one stream."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, field, replace

from streamer.config.analytics import RuleSettings
from streamer.values.labels import LabelTable
from tracking.types import Tracks

AVERAGED_S = 1.0
"""Time constant of the average of a score."""
FORGOTTEN_AFTER_S = 3630.0
"""A stay in a zone can end `leave_s` after the last frame of a track, up to an hour."""


@dataclass(slots=True)
class _Track:
    """One track.

    Attributes:
        label: the row of its class: the one that was shown most often so far.
        first_s, last_s: media times of its first and last frame.
        score: of the last frame.
        average: its score, averaged over about a second.
        best_score, best_average: the highest so far.
        shown: the number of frames by class.
    """

    label: int
    first_s: float
    last_s: float
    average: float
    best_score: float
    best_average: float
    shown: dict[int, int] = field(default_factory=dict)


class TrackHistory:
    """The tracks of one stream, by their ids, which are never used again."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}
        self._table = LabelTable(())
        self._rows: dict[str, frozenset[int]] = {}
        self._time_s, self._pruned_s = 0.0, 0.0

    def __contains__(self, track: int) -> bool:
        return track in self._tracks

    def add(self, tracks: Tracks, labels: LabelTable, time_s: float) -> None:
        """The tracks that are shown on a frame."""
        if labels is not self._table:
            self._table, self._rows = labels, {}
        weight = 1 - math.exp(min(self._time_s - time_s, 0.0) / AVERAGED_S)
        self._time_s = time_s
        columns = tracks.ids.tolist(), tracks.labels.tolist(), tracks.scores.tolist()
        for track, label, score in zip(*columns, strict=True):
            one = self._tracks.get(track)
            if one is None:
                self._tracks[track] = _Track(label, time_s, time_s, score, score, score, {label: 1})
                continue
            frames = one.shown[label] = one.shown.get(label, 0) + 1
            if label != one.label and frames > one.shown[one.label]:
                one.label = label
            one.average += weight * (score - one.average)
            if one.average > one.best_average:
                one.best_average = one.average
            if score > one.best_score:
                one.best_score = score
            one.last_s = time_s

    def join(self, old: int, new: int) -> None:
        """The track `new` is the same object as `old`: from now on they have one history."""
        self._tracks[new] = self._tracks[old]

    def separate(self, track: int) -> None:
        """A track that was joined is an object of its own: it gets a copy of the history."""
        if track in self:
            one = self._tracks[track]
            self._tracks[track] = replace(one, shown=dict(one.shown))

    def name(self, track: int) -> str:
        """The name of its class."""
        return self._table.name(self._tracks[track].label)

    def best_score(self, track: int) -> float:
        """Its highest score so far."""
        return self._tracks[track].best_score

    def label(self, track: int) -> int:
        """The row of its class."""
        return self._tracks[track].label

    def fits(self, track: int, rule: RuleSettings) -> bool:
        """Whether the rule counts the track: its class, score and age."""
        one = self._tracks[track]
        if rule.classes:
            if rule.name not in self._rows:
                self._rows[rule.name] = frozenset(self._table.rows(rule.classes))
            if one.label not in self._rows[rule.name]:
                return False
        return one.best_average >= rule.min_score and one.last_s - one.first_s >= rule.min_age_s

    def forget_old(self, time_s: float, kept: Container[int]) -> None:
        """Forget the tracks that were last shown long before a media time, or after it, except those in `kept`."""
        if 0 <= time_s - self._pruned_s <= FORGOTTEN_AFTER_S / 60:
            return
        self._pruned_s = time_s
        for track, one in list(self._tracks.items()):
            if track not in kept and not 0 <= time_s - one.last_s <= FORGOTTEN_AFTER_S:
                del self._tracks[track]
