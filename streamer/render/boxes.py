"""Draws the outline of every track. Used by the display thread; keeps the style of each track."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.track_memory import TrackMemory
from streamer.values.drawable import Drawable
from streamer.values.states import FrameState
from tracking.types import Origin

# A predicted box is dashed when its detection is older.
_OLD_S = 0.5
# A predicted box whose object the detector did not find again is dashed when its detection is older.
_MISSED_S = 0.3
# A dashed box becomes solid when it had no reason to be dashed for this time. That is longer than any pause between two
# such frames of a detector whose results come at equal intervals, so its boxes do not flicker.
_SOLID_AFTER_S = 0.7
# No style lasts shorter.
_LEAST_S = 0.3
_SAME_S = 1e-6
_NEVER = -(1 << 62)
_PREDICTED = int(Origin.PREDICTED)


def line_thickness_px(canvas: Drawable) -> int:
    """Thickness of outlines in rows: 1 px in frames of up to 599 lines, 2 at 720, 3 at 1080, 5 at 2160."""
    return max(1, int(min(canvas.width * canvas.pixel_aspect, canvas.height) / 400 + 0.5))


class BoxAnnotator:
    """Outlines in the colour of the track, with a dark casing; dashed where the object may be elsewhere.

    A box is dashed when its last detection is more than 0.5 s away, or more than 0.3 s if the detector has looked again
    and not found the object. It is solid again after 0.7 s without such a frame. Detected boxes, boxes between two
    detections and those of a live detector that is quicker are solid. Times are media times.

    Boxes further down are drawn last, because they are mostly nearer to the camera. Small boxes have thinner lines.

    Args:
        thickness_px: of the lines, at least 1; depends on the size of the frame if None.
        show_origin: whether outlines are dashed.

    Raises:
        ValueError: a thickness below 1.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self, *, thickness_px: int | None = None, show_origin: bool = True) -> None:
        self._styles = _Styles() if show_origin else None
        if thickness_px is not None and thickness_px < 1:
            raise ValueError(f"thickness_px must be at least 1, not {thickness_px}")
        self._thickness_px = thickness_px

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.boxes

    @classmethod
    def from_settings(cls, settings: DrawSettings) -> Self:
        return cls(show_origin=settings.origin)

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Outline all tracks of the scene."""
        tracks = scene.tracks
        thickness = self._thickness_px or line_thickness_px(canvas)
        dashed = [False] * len(tracks) if self._styles is None else self._styles.dashed(scene)
        rows = zip(tracks.boxes[:, 3].tolist(), tracks.ids.tolist(), tracks.boxes.tolist(), dashed, strict=True)
        for _, track_id, box, is_dashed in sorted(rows):
            x0, y0, x1, y1 = box
            line = min(thickness, max(1, int(min(x1 - x0, y1 - y0) / 8)))
            casing = max(1, (line + 1) // 3)
            canvas.outline(box, canvas.colour_of(track_id), line, casing_px=casing, dashed=is_dashed)


@dataclass(slots=True, eq=False)
class _Style:
    dashed: bool
    since_s: float
    last_reason_s: float  # time of the last frame with a reason to be dashed


class _Styles:
    """Decides which boxes are dashed, from one scene to the next."""

    def __init__(self) -> None:
        self._memory: TrackMemory[_Style] = TrackMemory()
        self._any_dashed = False
        self._detected_pts = _NEVER  # the last frame that is known to be detected

    def dashed(self, scene: Scene) -> list[bool]:
        """For each track of the scene."""
        styles, ids = self._memory.recall(scene), scene.tracks.ids.tolist()
        if self._memory.restarted:
            self._detected_pts = _NEVER
        reasons, now_s = self._reasons(scene), self._memory.now_s
        if not self._any_dashed and True not in reasons:
            styles.update({track_id: _Style(False, now_s, -math.inf) for track_id in ids if track_id not in styles})
            return reasons
        shown = []
        for track_id, reason in zip(ids, reasons, strict=True):
            style = styles.get(track_id)
            if style is None:
                style = styles[track_id] = _Style(reason, now_s, -math.inf)
            if reason:
                style.last_reason_s = now_s
            wanted = reason or (style.dashed and now_s - style.last_reason_s < _SOLID_AFTER_S - _SAME_S)
            if wanted != style.dashed and now_s - style.since_s >= _LEAST_S - _SAME_S:
                style.dashed, style.since_s = wanted, now_s
            shown.append(style.dashed)
        self._any_dashed = any(style.dashed for style in styles.values())
        return shown

    def _reasons(self, scene: Scene) -> list[bool]:
        """Whether this frame gives each track a reason to be dashed."""
        tracks, frame = scene.tracks, scene.frame
        if _PREDICTED not in tracks.origin.tolist():
            return [False] * len(tracks)
        # The frame was detected, or lies between two that were.
        looked = scene.state in (FrameState.DETECTED, FrameState.INTERPOLATED)
        if scene.found_pts is None:
            ages_s, missed = np.abs(tracks.unseen_s), np.full(len(tracks), looked)
        else:
            ages_s = np.abs(frame.pts - scene.found_pts) * float(frame.time_base)
            self._detected_pts = max((self._detected_pts, *scene.found_pts.tolist()))
            missed = looked | (scene.found_pts < self._detected_pts)
        limits_s = np.where(missed, _MISSED_S, _OLD_S) + _SAME_S
        reasons: list[bool] = ((tracks.origin == _PREDICTED) & (ages_s > limits_s)).tolist()
        return reasons
