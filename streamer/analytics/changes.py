"""What rules get and give: the tracks of a frame, and what changed. Owned by the display thread of one stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from streamer.analytics.geometry import Array
from streamer.analytics.track_history import TrackHistory
from streamer.config.analytics import RuleSettings
from streamer.values.events import Direction, EventKind, EventPhase

EXACT_S = 1e-6
"""Media times are rounded; 0.2 s after 0.1 s is 0.3 s."""
RESUME_S = 10.0
"""After a short interruption, a detector and a tracker have so long to find what was there before, media time."""
_ANCHOR_Y = {"top": 0.0, "centre": 0.5, "bottom": 1.0}


@dataclass
class FrameTracks:
    """The tracks that are shown on one frame.

    Attributes:
        ids: of the tracks.
        corners: `(N, 4)`: x0, y0, x1, y1 of their boxes, pixels.
        size: width and height of the frame, pixels.
        time_s: media time of the frame, not less than that of the frame before.
        history: of all tracks, with this frame.
        off: names of the rules that do not apply now.
    """

    ids: Sequence[int]
    corners: Array
    size: tuple[int, int]
    time_s: float
    history: TrackHistory
    off: Set[str] = frozenset()

    @cached_property
    def boxes(self) -> Array:
        """`(N, 2)`: width and height of each box, pixels."""
        return self.corners[:, 2:] - self.corners[:, :2]

    @cached_property
    def relative(self) -> list[list[float]]:
        """The boxes in 0..1 of the width and height of the frame."""
        boxes: list[list[float]] = (self.corners / (*self.size, *self.size)).tolist()
        return boxes

    def anchors(self, anchor: str) -> Array:
        """`(N, 2)`: the middle of the lower or upper edge, or the centre, of each box."""
        x, y = (self.corners[:, 0] + self.corners[:, 2]) / 2, self.corners[:, 1]
        return np.stack((x, y + _ANCHOR_Y[anchor] * self.boxes[:, 1]), axis=1)

    def fitting(self, rule: RuleSettings) -> list[int]:
        """The tracks that the rule counts; none if it does not apply now."""
        if rule.name in self.off:
            return []
        return [track for track in self.ids if self.history.fits(track, rule)]


@dataclass(frozen=True, slots=True)
class Change:
    """What became certain: an `Event` without what is the same for all rules.

    Attributes:
        rule, kind, track, time_s, direction, inside_s, phase, value, text: as of `Event`.
        key: of the event that it starts, updates or ends, among the events of the rule that last.
    """

    rule: RuleSettings
    kind: EventKind
    phase: EventPhase
    time_s: float
    track: int = 0
    key: int = 0
    direction: Direction | None = None
    inside_s: float | None = None
    value: int | None = None
    text: str = ""


class Rule(Protocol):
    """One rule, or several of a kind."""

    def update(self, frame: FrameTracks) -> Iterator[Change]:
        """What became certain on a frame."""
        ...

    def resume(self, time_s: float) -> None:
        """Frames go on at this media time after a short interruption, in which tracks got new ids."""

    def end(self) -> Iterator[Change]:
        """Forget all tracks; what lasts ends at the last frame."""
        ...
