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

from streamer.analytics.camera.view import Edges, View, has_edges, match, mixed, sharpness_of, view_of
from streamer.analytics.changes import Change
from streamer.config.analytics import RuleSettings
from streamer.config.analytics.camera_watch import CAMERA_RULE, CameraWatchSettings
from streamer.motion.thumbnail import luma_of
from streamer.values.events import EventKind, EventPhase
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
"""Peaks of the correlation, in standard deviations: of the same view, and of one that the reference may follow. Where
nothing is in common they are 3.5 at most; with light or exposure changed 5.8 at least, in pictures of four places."""
_SHIFTED, _SHIFTED_FACTOR = 10.0, 2.0
"""A peak elsewhere is a shift of the view from this height on, if it is so much higher than the one at home: text in
the picture does not move."""
_LEAST_DETAILS = 2.0
"""Grey levels; a hand on the lens has less."""
_LEAST_SHARPNESS = 0.62
"""Less than this share of the usual sharpness is out of focus. It is 0.5 for a blur of 0.4% of the picture's width
(standard deviation), and 0.9 or more with light and exposure changed."""
_DARK, _BRIGHT = 40.0, 215.0
"""Mean levels of a picture that is called dark or bright."""
_RULE = RuleSettings(name=CAMERA_RULE)
_KEY = -1
"""`Change.key` of a covered camera: no track."""


@dataclass(slots=True)
class _Lasting:
    """Since when something holds; None if it does not."""

    since_s: float | None = None

    def begun_s(self, time_s: float, start_s: float, for_s: float, *, holds: bool) -> float | None:
        """When it began, once it has held for `for_s`; None before that. `start_s`: of what begins on this frame."""
        if not holds:
            self.since_s = None
        elif self.since_s is None:
            self.since_s = start_s
        return self.since_s if self.since_s is not None and time_s - self.since_s >= for_s else None


@dataclass(frozen=True, slots=True)
class _Look:
    """A view, compared with the reference.

    Attributes:
        view: of the frame.
        time_s: media time of the frame.
        start_s: of the first of the recent views, which are compared together.
        is_alike: it is certainly the usual view.
        is_same: it is the usual view, if perhaps hard to see.
        is_blank: it has no details, and is not the usual view.
        is_blurred: it is the usual view out of focus.
        shift: how far the usual view has moved, as a share of the picture; None if nothing of it is found elsewhere.
    """

    view: View
    time_s: float
    start_s: float
    is_alike: bool
    is_same: bool
    is_blank: bool
    is_blurred: bool
    shift: float | None


class CameraWatch:
    """Watches one camera. Frames come in the order in which they are shown.

    Args:
        settings: what is reported, and after how long.
    """

    def __init__(self, settings: CameraWatchSettings) -> None:
        self._settings = settings
        self._frame: Frame | None = None
        self._next_s = float("-inf")
        self._recent: deque[tuple[float, Edges]] = deque()
        self._reference: _Reference | None = None
        self._covered, self._uncovered, self._moved = _Lasting(), _Lasting(), _Lasting()
        self._is_covered = False  # it was reported

    def update(self, frame: Frame) -> Iterator[Change]:
        """What became certain on a frame."""
        last, self._frame = self._frame, frame
        if last is not None and (frame.segment != last.segment or frame.time_s < last.time_s):
            yield from self._interrupted(last, frame)
        if frame.time_s < self._next_s or (self._settings.covered_s is None and self._settings.moved_s is None):
            return
        self._next_s = frame.time_s + _EVERY_S
        view = view_of(luma_of(frame.picture))
        if self._reference is None:
            self._reference = _Reference(view)
        look = self._look(frame, view, self._reference)
        self._reference.add(look.time_s, view, is_alike=look.is_alike)
        yield from self._check_cover(look, self._reference)
        yield from self._check_view(look, self._reference)

    def end(self) -> Iterator[Change]:
        """The run ended: what ends with it."""
        if self._is_covered and self._frame is not None:
            self._is_covered = False
            yield _change(EventKind.CAMERA_CLEAR, EventPhase.END, self._frame.time_s)

    def _interrupted(self, last: Frame, frame: Frame) -> Iterator[Change]:
        """A new connection, or a step back in time. The reference stays: the camera may have moved meanwhile."""
        lost_s = self._settings.lost_s
        if lost_s is not None and frame.time_s - last.time_s >= lost_s:
            yield _change(EventKind.CAMERA_LOST, EventPhase.START, last.time_s)
            yield _change(EventKind.CAMERA_BACK, EventPhase.END, frame.time_s)
        self._next_s = frame.time_s
        self._restart()

    def _restart(self) -> None:
        self._recent.clear()
        for lasting in (self._covered, self._uncovered, self._moved):
            lasting.since_s = None

    def _look(self, frame: Frame, view: View, reference: _Reference) -> _Look:
        time_s = frame.time_s
        if self._recent and time_s - self._recent[-1][0] > _PAUSE_S:
            self._restart()
        self._recent.append((time_s, view.edges))
        while time_s - self._recent[0][0] > _RECENT_S:
            self._recent.popleft()
        edges = np.add.reduce([one for _, one in self._recent])  # the match does not depend on its size
        aspect, tolerance = frame.height / frame.width, self._settings.moved_share
        found = match(reference.view.edges, edges, aspect=aspect, tolerance=tolerance)
        is_shifted = found.best >= max(_SHIFTED, _SHIFTED_FACTOR * found.at_home)
        is_same = found.at_home >= _SAME and not is_shifted
        has_details = view.details >= max(self._settings.covered_share * reference.view.details, _LEAST_DETAILS)
        is_blurred = is_same and sharpness_of(view, reference.view) < _LEAST_SHARPNESS
        return _Look(
            view,
            time_s,
            self._recent[0][0],
            is_alike=is_same and found.at_home >= _ALIKE and not is_blurred,
            is_same=is_same,
            is_blank=not (is_same or is_shifted or has_details),
            is_blurred=is_blurred,
            shift=max(map(abs, found.shift)) if is_shifted else None,
        )

    def _check_cover(self, look: _Look, reference: _Reference) -> Iterator[Change]:
        for_s = self._settings.covered_s
        if for_s is None or not reference.is_settled:
            return
        holds, start_s = look.is_blank or look.is_blurred, look.time_s if look.is_blurred else look.start_s
        covered_s = self._covered.begun_s(look.time_s, start_s, for_s, holds=holds)
        clear_s = self._uncovered.begun_s(look.time_s, look.time_s, _CLEAR_S, holds=not holds)
        if covered_s is not None and not self._is_covered:
            self._is_covered = True
            yield _change(EventKind.CAMERA_COVERED, EventPhase.START, covered_s, _appearance(look))
        elif clear_s is not None and self._is_covered:
            self._is_covered = False
            yield _change(EventKind.CAMERA_CLEAR, EventPhase.END, clear_s)

    def _check_view(self, look: _Look, reference: _Reference) -> Iterator[Change]:
        for_s, holds = self._settings.moved_s, not (look.is_same or look.is_blank)
        moved_s = self._moved.begun_s(look.time_s, look.start_s, for_s or _SETTLED_S, holds=holds)
        if moved_s is None:
            return
        if reference.is_settled and for_s is not None:
            text = "another view" if look.shift is None else f"the view has shifted by {look.shift:.0%}"
            yield _change(EventKind.CAMERA_MOVED, EventPhase.MOMENT, moved_s, text)
        self._reference, self._moved.since_s = _Reference(look.view), None


class _Reference:
    """What the camera usually shows.

    A view is taken into the mean some seconds later, and only if the camera then still shows it: otherwise a cloth
    would become a part of the reference before it is noticed.

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
        """Whether the view has been seen for long enough to be missed, and has edges that stay where they are."""
        return self._seen_s >= _SETTLED_S and has_edges(self.view)

    def add(self, time_s: float, view: View, *, is_alike: bool) -> None:
        """One more view of the camera. At first all views have the same weight, later the last two minutes count."""
        elapsed_s = 0.0 if self._last_s is None else min(max(time_s - self._last_s, 0.0), _PAUSE_S)
        self._last_s = time_s
        if self._views < _LEAST_VIEWS:  # too few to compare others with them
            self._take(view, 0.0)
            return
        if not is_alike:
            self._waiting.clear()
            return
        self._seen_s += elapsed_s
        self._waiting.append((time_s, view))
        while time_s - self._waiting[0][0] > _WAITING_S:
            self._take(self._waiting.popleft()[1], elapsed_s)

    def _take(self, view: View, elapsed_s: float) -> None:
        self._views += 1
        self.view = mixed(self.view, view, max(elapsed_s / _REFERENCE_S, 1 / self._views))


def _appearance(look: _Look) -> str:
    if look.is_blurred:
        return "the picture is out of focus"
    if look.view.brightness < _DARK:
        return "the picture is dark"
    return "the picture is bright" if look.view.brightness > _BRIGHT else "the picture has no details"


def _change(kind: EventKind, phase: EventPhase, time_s: float, text: str = "") -> Change:
    return Change(_RULE, kind, phase, time_s, key=_KEY, text=text)
