"""Draws the recent path of each track. Used by the main thread; keeps a few seconds of positions."""

from __future__ import annotations

from collections import deque
from typing import ClassVar, Self

import numpy as np

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.boxes import line_thickness_px
from streamer.values.drawable import Drawable

# Positions kept of a track: one every 0.1 s at the default length. Drawing time grows with their number.
_MOST_POINTS = 20
# A longer pause between two scenes, in seconds, ends every path: the positions between are unknown.
_LONGEST_PAUSE_S = 1.0

_Point = tuple[float, float, float]
"""Media time in seconds, x, y in pixels."""


class TrailAnnotator:
    """The path of each shown track over the last `length_s` seconds of media time, fading with age.

    It is the path of the middle of the lower edge, where people and vehicles touch the ground. It restarts with a new
    segment, when time goes backwards, and after a pause of more than a second.

    Args:
        length_s: duration of a path, seconds.

    Raises:
        ValueError: a length that is not positive.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self, *, length_s: float = 2.0) -> None:
        if not length_s > 0:
            raise ValueError(f"length_s must be positive, not {length_s}")
        self._length_s = length_s
        self._paths: dict[int, deque[_Point]] = {}
        self._segment = 0
        self._time_s = 0.0

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.trails

    @classmethod
    def from_settings(cls, settings: DrawSettings) -> Self:
        return cls(length_s=settings.trail_length_s)

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Add the positions of the scene to the paths and draw them."""
        now_s = scene.frame.time_s
        self._expire(scene.frame.segment, now_s)
        ids, boxes = scene.tracks.ids.tolist(), scene.tracks.boxes.tolist()
        thickness = line_thickness_px(canvas) + 1
        for track_id, (x0, _, x1, y1) in sorted(zip(ids, boxes, strict=True)):
            path = self._extend(track_id, (now_s, (x0 + x1) / 2, y1))
            points = np.array(path)
            opacities = np.clip(1 - (now_s - points[:-1, 0]) / self._length_s, 0.0, 1.0)
            canvas.polyline(points[:, 1:], canvas.colour_of(track_id), thickness, opacities)

    def _extend(self, track_id: int, point: _Point) -> deque[_Point]:
        path = self._paths.setdefault(track_id, deque(maxlen=_MOST_POINTS + 2))
        # The last point is always the newest; it is kept only if it is far enough in time from the one before.
        if len(path) > 1 and path[-1][0] - path[-2][0] < self._length_s / _MOST_POINTS:
            path.pop()
        path.append(point)
        return path

    def _expire(self, segment: int, now_s: float) -> None:
        if segment != self._segment or not 0 <= now_s - self._time_s <= _LONGEST_PAUSE_S:
            self._paths.clear()
        self._segment, self._time_s = segment, now_s
        oldest_s = now_s - self._length_s
        for track_id, path in list(self._paths.items()):
            while path and path[0][0] < oldest_s:
                path.popleft()
            if not path:
                del self._paths[track_id]
