"""Counters of other programs, fed with the tracks that Streamer shows."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from streamer.interfaces import Scene
from streamer.values.events import Points


class Counter(Protocol):
    """Counts the crossings of one line."""

    def add(self, scene: Scene) -> None:
        """The next frame."""
        ...

    @property
    def counts(self) -> tuple[int, int]:
        """Crossings in and out."""
        ...


class CentreStepCounter:
    """Counts as the documentation of `ultralytics.solutions.ObjectCounter` describes it; own code.

    The step of the centre of a box from one frame to the next is tested against the line. Each id counts once, ever.
    The direction is that of the step along x for a steep line, along y for a flat one.

    Args:
        points: of a straight line, in 0..1.
    """

    def __init__(self, points: Points) -> None:
        self._points = np.array([points[0], points[-1]])
        self._last: dict[int, np.ndarray] = {}
        self._counted: set[int] = set()
        self.counts = (0, 0)

    def add(self, scene: Scene) -> None:
        boxes = scene.tracks.boxes / (scene.frame.width, scene.frame.height, scene.frame.width, scene.frame.height)
        for track, box in zip(scene.tracks.ids.tolist(), boxes, strict=True):
            centre = (box[:2] + box[2:]) / 2
            last = self._last.get(track)
            self._last[track] = centre
            if last is not None and track not in self._counted and self._crosses(last, centre):
                self._counted.add(track)
                start, end = self._points
                axis = 0 if abs(end[0] - start[0]) < abs(end[1] - start[1]) else 1
                entered, left = self.counts
                self.counts = (entered + 1, left) if centre[axis] > last[axis] else (entered, left + 1)

    def _crosses(self, last: np.ndarray, now: np.ndarray) -> bool:
        start, end = self._points
        return (
            _side(start, end, last) * _side(start, end, now) < 0 and _side(last, now, start) * _side(last, now, end) < 0
        )


class SupervisionCounter:
    """`LineZone` of the package `supervision`.

    Args:
        points: of a straight line, in 0..1.
        bottom: the middle of the lower edge must cross; else, as is its default, all four corners.
    """

    def __init__(self, points: Points, *, bottom: bool = False) -> None:
        self._points, self._bottom = (points[0], points[-1]), bottom
        self._zone: object | None = None
        self.counts = (0, 0)

    def add(self, scene: Scene) -> None:
        import supervision as sv

        if self._zone is None:
            size = scene.frame.width, scene.frame.height
            # It counts to the other side as `in`, so it gets the points in reverse.
            start, end = (sv.Point(x * size[0], y * size[1]) for x, y in reversed(self._points))
            middle = [sv.Position.BOTTOM_CENTER]
            self._zone = sv.LineZone(start, end, middle) if self._bottom else sv.LineZone(start, end)
        found = sv.Detections(
            xyxy=scene.tracks.boxes.copy(),
            class_id=scene.tracks.labels.astype(int),
            tracker_id=scene.tracks.ids.copy(),
        )
        self._zone.trigger(found)  # type: ignore[attr-defined]
        self.counts = int(self._zone.in_count), int(self._zone.out_count)  # type: ignore[attr-defined]


def peers() -> dict[str, Callable[[Points], Counter]]:
    """The counters by name; `supervision` only if it is installed."""
    found: dict[str, Callable[[Points], Counter]] = {}
    if importlib.util.find_spec("supervision"):
        found |= {"supervision": SupervisionCounter, "sv. bottom": partial(SupervisionCounter, bottom=True)}
    return found | {"centre step": CentreStepCounter}


def _side(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> float:
    return float((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]))
