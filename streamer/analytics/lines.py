"""Counts the tracks that cross lines. Owned by the display thread of one stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streamer.analytics.changes import Change, FrameTracks
from streamer.analytics.geometry import are_clear, crossings, edges_of
from streamer.config.analytics import LineSettings
from streamer.values.events import Direction, EventKind, EventPhase

FORGOTTEN_AFTER_S = 30.0
"""A track that is not shown for longer, in media time, begins anew."""


@dataclass(slots=True)
class _Path:
    """Where a track was last, and for each line what its path has done since it was last clear of the line.

    Attributes:
        point: x, y of the anchor in pixels.
        time_s: media time of that point.
        was_clear: the track has been clear of the line.
        crossed: crossings to the right less those to the left.
        crossed_s: media time of the last of them.
    """

    point: list[float]
    time_s: float
    was_clear: list[bool]
    crossed: list[int]
    crossed_s: list[float]


class Lines:
    """The lines with one anchor.

    The path of a track is the straight line between its anchors on two frames that follow one another, so the distance
    does not matter. A track is clear of a line if its anchor is further away than `hysteresis` of its box. It crosses
    when it was clear, its path has crossed the line once more in one direction than in the other, and it is clear
    again: whatever a shaking box does near the line counts at most once.

    Args:
        lines: at least one.
    """

    def __init__(self, lines: Sequence[LineSettings]) -> None:
        self._lines = lines
        self._size = (0, 0)
        self._paths: dict[int, _Path] = {}
        self._pruned_s = 0.0

    def resume(self, time_s: float) -> None:  # noqa: ARG002
        """Forget all tracks: a path that was not seen crosses nothing."""
        self._paths.clear()

    def end(self) -> Iterator[Change]:
        """Forget all tracks; a crossing does not last."""
        self._paths.clear()
        self._pruned_s = 0.0
        return iter(())

    def join(self, old: int, new: int) -> None:
        """The track `new` goes on with the path of `old`."""
        if old in self._paths:
            self._paths[new] = self._paths.pop(old)

    def update(self, frame: FrameTracks) -> Iterator[Change]:
        """The crossings that became certain on a frame."""
        ids, time_s = frame.ids, frame.time_s
        self._prune(ids, time_s)
        if not ids:
            return
        self._scale_to(frame.size)
        points, none = frame.anchors(self._lines[0].anchor), len(self._lines)
        now = points.tolist()
        paths = []
        for track, point in zip(ids, now, strict=True):
            path = self._paths.get(track)
            if path is None:
                path = _Path(point, time_s, [False] * none, [0] * none, [time_s] * none)
                self._paths[track] = path
            paths.append(path)
        before = np.array([path.point for path in paths], np.float64)
        changes, shares = crossings(before, points, self._edges)
        shares = np.where(changes != 0, shares, 0)
        changed = np.add.reduceat(changes, self._starts, axis=1).tolist()
        share = np.maximum.reduceat(shares, self._starts, axis=1).tolist()
        far = are_clear(points, frame.boxes, self._edges, self._hysteresis)
        clear = np.logical_and.reduceat(far, self._starts, axis=1).tolist()
        for row, path in enumerate(paths):
            for line, direction, crossed_s in _advance(path, changed[row], share[row], clear[row], time_s):
                settings = self._lines[line]
                if settings.name not in frame.off and frame.history.fits(ids[row], settings):
                    yield Change(
                        settings, EventKind.CROSSING, EventPhase.MOMENT, crossed_s, ids[row], direction=direction
                    )
            path.point, path.time_s = now[row], time_s

    def _scale_to(self, size: tuple[int, int]) -> None:
        if size != self._size:
            self._size = size
            self._edges, self._starts = edges_of([line.points for line in self._lines], size, closed=False)
            edges = [len(line.points) - 1 for line in self._lines]
            self._hysteresis = np.repeat([line.hysteresis for line in self._lines], edges)

    def _prune(self, ids: Sequence[int], time_s: float) -> None:
        if len(self._paths) > len(ids) and time_s - self._pruned_s > 1:
            self._pruned_s = time_s
            for track in [one for one, path in self._paths.items() if time_s - path.time_s > FORGOTTEN_AFTER_S]:
                del self._paths[track]


def _advance(
    path: _Path, changed: list[int], share: list[float], clear: list[bool], time_s: float
) -> Iterator[tuple[int, Direction, float]]:
    """Add one frame to a path; arguments by line. Yields the lines that it has crossed for sure, and when."""
    for line, is_clear in enumerate(clear):
        if changed[line]:
            path.crossed[line] += changed[line]
            path.crossed_s[line] = path.time_s + share[line] * (time_s - path.time_s)
        if is_clear:
            crossed = path.crossed[line]
            if crossed and path.was_clear[line]:
                yield line, Direction.IN if crossed > 0 else Direction.OUT, path.crossed_s[line]
            path.was_clear[line], path.crossed[line] = True, 0
