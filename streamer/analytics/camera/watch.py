"""Finds out when a camera was lost, is covered, or has moved, from its frames alone. Owned by the display thread.

Twice a second the view of a frame is compared with a reference, the mean of earlier views, by the directions of their
edges (`streamer.analytics.camera.view`). So light that is switched on or off, auto-exposure, dusk and an infrared lamp
change nothing. What passes leaves a part of the view free, or is gone in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamer.analytics.camera.view import Edges, Match, View, match, mixed, sharpness_of, view_of
from streamer.config.camera_watch import CameraWatchSettings
from streamer.motion.thumbnail import luma_of
from streamer.values.events import EventKind
from streamer.values.frame import Frame

_EVERY_S = 0.5
_RECENT_S = 2.0
"""Views of so long are averaged before they are compared: what moves gets weaker, what stays gets clearer."""
_WAITING_S = 4.0
"""Views are taken into the reference so much later: more than it takes to notice that they are others."""
_PAUSE_S = 5.0
"""After so long without a view nothing is known to have lasted."""
_SETTLED_S = 10.0
"""So long must the view have been seen before it can be missed. A camera in a hand never has such a view."""
_LEAST_VIEWS = 8
_REFERENCE_S = 120.0
"""Time constant with which the reference follows the light of the day, and what is parked."""
_CLEAR_S = 2.0
"""A camera is no longer covered after so long."""
_SAME, _ALIKE = 4.5, 6.0
"""Peaks of the correlation, in standard deviations: of the same view, and of one that the reference may follow. Without
a common part there are 3.5 at most; in pictures of four places with light and exposure changed in seven ways 5.8 at
least (`benchmarks/camera_watch.py`)."""
_SHIFTED, _SHIFTED_FACTOR = 10.0, 2.0
"""A peak elsewhere is a shift of the view from this height on, and if it is so much higher than the one without a shift:
text in the picture does not move with the camera."""
_LEAST_SHARPNESS = 0.62
"""Less than this share of the usual sharpness is out of focus. It is 0.5 for a blur of 0.4% of the picture's width
(standard deviation), and 0.9 or more with light and exposure changed."""
_DARK, _BRIGHT = 40.0, 215.0


@dataclass(frozen=True, slots=True)
class CameraChange:
    """What happened to the camera, when in media time, and more in one line."""

    kind: EventKind
    time_s: float
    text: str = ""


@dataclass(slots=True)
class _Lasting:
    """Since when something holds; None if it does not."""

    since_s: float | None = None

    def lasts_s(self, time_s: float, since_s: float, *, holds: bool) -> float:
        """How long it has held at `time_s`, from `since_s` on if it did not hold before; -1 if it does not hold."""
        if not holds:
            self.since_s = None
            return -1.0
        if self.since_s is None:
            self.since_s = since_s
        return time_s - self.since_s


class CameraWatch:
    """Watches one camera. Frames come in the order in which they are shown.

    Args:
        settings: what is reported, and after how long.
    """

    def __init__(self, settings: CameraWatchSettings) -> None:
        self._settings = settings
        self._frame: Frame | None = None
        self._next_s = float("-inf")
        self._look_s = float("-inf")
        self._recent: deque[tuple[float, Edges]] = deque()
        self._reference: _Reference | None = None
        self._covered, self._uncovered, self._moved = _Lasting(), _Lasting(), _Lasting()
        self.is_covered = False
        """Whether `CAMERA_COVERED` was reported, and `CAMERA_CLEAR` was not."""

    def update(self, frame: Frame) -> Iterator[CameraChange]:
        """What became certain on a frame."""
        last, self._frame = self._frame, frame
        if last is not None and (frame.segment != last.segment or frame.time_s < last.time_s):
            yield from self._interrupted(last, frame)
        if frame.time_s < self._next_s or (self._settings.covered_s is None and self._settings.moved_s is None):
            return
        if frame.time_s - self._look_s > _PAUSE_S:
            self._restart()
        self._next_s = frame.time_s + _EVERY_S
        yield from self._look(frame)
        self._look_s = frame.time_s

    def finish(self) -> Iterator[CameraChange]:
        """The run ended: what ends with it."""
        if self.is_covered and self._frame is not None:
            self.is_covered = False
            yield CameraChange(EventKind.CAMERA_CLEAR, self._frame.time_s)

    def _interrupted(self, last: Frame, frame: Frame) -> Iterator[CameraChange]:
        """A new connection, or a step back in time. The view before it is remembered: it may be another one now."""
        lost_s = self._settings.lost_s
        if lost_s is not None and frame.time_s - last.time_s >= lost_s:
            yield CameraChange(EventKind.CAMERA_LOST, last.time_s)
            yield CameraChange(EventKind.CAMERA_BACK, frame.time_s)
        self._next_s = frame.time_s
        self._restart()

    def _restart(self) -> None:
        self._recent.clear()
        for lasting in (self._covered, self._uncovered, self._moved):
            lasting.since_s = None

    def _look(self, frame: Frame) -> Iterator[CameraChange]:
        time_s, view = frame.time_s, view_of(luma_of(frame.picture))
        self._recent.append((time_s, view.edges))
        while time_s - self._recent[0][0] > _RECENT_S:
            self._recent.popleft()
        edges = np.mean([one for _, one in self._recent], axis=0, dtype=np.complex64)
        if self._reference is None:
            self._reference = _Reference(view)
        aspect, tolerance = frame.height / frame.width, self._settings.moved_share
        found = match(self._reference.view.edges, edges, aspect=aspect, tolerance=tolerance)
        yield from self._judge(time_s, view, found, self._reference)

    def _judge(self, time_s: float, view: View, found: Match, reference: _Reference) -> Iterator[CameraChange]:
        settings = self._settings
        is_shifted = found.best >= max(_SHIFTED, _SHIFTED_FACTOR * found.at_home)
        is_same = found.at_home >= _SAME and not is_shifted
        is_blank = view.details < settings.covered_share * reference.view.details and not is_shifted and not is_same
        is_blurred = is_same and sharpness_of(view, reference.view) < _LEAST_SHARPNESS
        is_alike = is_same and found.at_home >= _ALIKE and not is_blurred
        reference.add(time_s, view, is_alike=is_alike or reference.is_new)
        if reference.is_settled and settings.covered_s is not None:
            yield from self._cover(time_s, view, holds=is_blank or is_blurred, blurred=is_blurred)
        # What is found in the mean of recent views began with the first of them.
        moved_s = self._moved.lasts_s(time_s, self._recent[0][0], holds=not (is_same or is_blank))
        if moved_s < (settings.moved_s or _SETTLED_S):
            return
        since_s = self._moved.since_s
        if reference.is_settled and settings.moved_s is not None and since_s is not None:
            shift = f"the view has shifted by {max(map(abs, found.shift)):.0%}" if is_shifted else "another view"
            yield CameraChange(EventKind.CAMERA_MOVED, since_s, shift)
        self._reference, self._moved.since_s = _Reference(view), None

    def _cover(self, time_s: float, view: View, *, holds: bool, blurred: bool) -> Iterator[CameraChange]:
        covered_s = self._covered.lasts_s(time_s, time_s if blurred else self._recent[0][0], holds=holds)
        uncovered_s = self._uncovered.lasts_s(time_s, time_s, holds=not holds)
        if not self.is_covered and covered_s >= (self._settings.covered_s or 0.0) and self._covered.since_s is not None:
            self.is_covered = True
            yield CameraChange(EventKind.CAMERA_COVERED, self._covered.since_s, _appearance(view, blurred=blurred))
        elif self.is_covered and uncovered_s >= _CLEAR_S and self._uncovered.since_s is not None:
            self.is_covered = False
            yield CameraChange(EventKind.CAMERA_CLEAR, self._uncovered.since_s)


class _Reference:
    """What the camera usually shows.

    A view is taken into the mean some seconds later, and only if the camera then still shows it: otherwise a cloth would
    become a part of the reference before it is noticed.

    Attributes:
        view: mean of the views.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self._seen_s = 0.0
        self._views = 1
        self._last_s: float | None = None
        self._waiting: deque[tuple[float, View]] = deque()

    @property
    def is_settled(self) -> bool:
        """Whether the view has been seen for long enough to be missed."""
        return self._seen_s >= _SETTLED_S

    @property
    def is_new(self) -> bool:
        """Whether it is the mean of too few views to compare others with it."""
        return self._views < _LEAST_VIEWS

    def add(self, time_s: float, view: View, *, is_alike: bool) -> None:
        """One more view of the camera. At first all views have the same weight, later the last two minutes count."""
        elapsed_s = 0.0 if self._last_s is None else min(time_s - self._last_s, _PAUSE_S)
        self._last_s = time_s
        if not is_alike:
            self._waiting.clear()
            return
        if self.is_new:
            self._take(view, 0.0)
            return
        self._seen_s += elapsed_s
        self._waiting.append((time_s, view))
        while time_s - self._waiting[0][0] > _WAITING_S:
            self._take(self._waiting.popleft()[1], elapsed_s)

    def _take(self, view: View, elapsed_s: float) -> None:
        self._views += 1
        self.view = mixed(self.view, view, max(elapsed_s / _REFERENCE_S, 1 / self._views))


def _appearance(view: View, *, blurred: bool) -> str:
    if blurred:
        return "the picture is out of focus"
    if view.brightness < _DARK:
        return "the picture is dark"
    return "the picture is bright" if view.brightness > _BRIGHT else "the picture has no details"
