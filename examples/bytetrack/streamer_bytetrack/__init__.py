"""The ByteTrack of the library `trackers` for Streamer: `--tracker bytetrack`. One thread owns an instance.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022, arXiv:2110.06864.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import supervision
from trackers import ByteTrackTracker

import streamer
from tracking import Motion

Array = npt.NDArray[Any]
FRAMES_IN_A_SECOND = 30.0
"""The unit of `lost_track_buffer`, whatever the rate of the video (documentation of the library)."""


class ByteTrack:
    """Assigns detections to tracks by overlap, those with a high score first. It ignores classes, as the paper does.

    Only tracks that were detected on the last frame are returned, with the boxes of the detector.

    Args:
        high_conf_det_threshold: a detection with this score takes part in the first assignment, others in the second.
        track_activation_threshold: a new track needs a detection with this score.
        minimum_iou_threshold: the least overlap of a detection with the predicted box of a track.
        minimum_consecutive_frames: a new track gets an id when it was detected in so many frames in a row.
        lost_track_buffer: how long a missed track can be found again, in frames of 1/30 s.

    Raises:
        ValueError: `lost_track_buffer` is negative.
    """

    def __init__(
        self,
        *,
        high_conf_det_threshold: float = 0.6,
        track_activation_threshold: float = 0.7,
        minimum_iou_threshold: float = 0.1,
        minimum_consecutive_frames: int = 2,
        lost_track_buffer: int = 30,
    ) -> None:
        self._new_tracker = partial(
            ByteTrackTracker,
            high_conf_det_threshold=high_conf_det_threshold,
            track_activation_threshold=track_activation_threshold,
            minimum_iou_threshold=minimum_iou_threshold,
            minimum_consecutive_frames=minimum_consecutive_frames,
            lost_track_buffer=lost_track_buffer,
        )
        self._memory_s = lost_track_buffer / FRAMES_IN_A_SECOND
        self._last_id = 0
        self.reset()

    def reset(self) -> None:
        """Forget all tracks. Ids continue, although the library counts from 0 again."""
        self._begin(FRAMES_IN_A_SECOND)
        self._first: Any = None  # the detections of the first frame, until the second
        self._first_id = self._last_id + 1
        self._tracks, self._rates, self._now_s = streamer.Tracks.empty(), np.empty((0, 4), np.float32), -math.inf

    def update(
        self,
        detections: streamer.Detections,
        time_s: float,
        motion: Motion | None = None,  # noqa: ARG002
    ) -> streamer.Tracks:
        """The tracks on the frame of these detections.

        Raises:
            ValueError: `time_s` is not finite.
        """
        _check(time_s)
        if time_s <= self._now_s:  # a loop or a seek: the library would ignore the frame
            self.reset()
        found = supervision.Detections(xyxy=detections.boxes, confidence=detections.scores, class_id=detections.labels)
        if self._now_s == -math.inf:
            self._first = found
        elif self._first is not None:
            self._learn_rate(1 / (time_s - self._now_s))
        self._tracks = self._follow(found, time_s)
        return self._tracks

    def to_carry(self) -> Array:
        """No boxes: ByteTrack does not use the motion in the images."""
        return np.empty((0, 4))

    def predict(self, time_s: float) -> streamer.Tracks:
        """The tracks of the last `update` as the filter expects them at `time_s`. Pure.

        Raises:
            ValueError: `time_s` is not finite.
        """
        _check(time_s)
        now, ahead_s = self._tracks, time_s - self._now_s
        if not len(now) or ahead_s > self._memory_s:
            return streamer.Tracks.empty()
        boxes = now.boxes + self._rates * np.float32(max(ahead_s, -self._memory_s))
        boxes[:, 2:] = np.maximum(boxes[:, :2], boxes[:, 2:])
        later_s = max(ahead_s, 0.0)
        return replace(
            now,
            boxes=boxes,
            age_s=now.age_s + later_s,
            unseen_s=now.unseen_s + later_s,
            origin=np.full(len(now), streamer.Origin.PREDICTED) if ahead_s else now.origin,
        )

    def _begin(self, rate_fps: float) -> None:
        self._tracker = self._new_tracker(frame_rate=rate_fps)
        self._rate_fps = rate_fps
        self._born_s: dict[Any, float] = {}  # by the library's track

    def _learn_rate(self, rate_fps: float) -> None:
        """Start again with the rate of the first two frames, and the first frame.

        The library's filter is made for steps of one frame, and its noise grows with longer ones: on PETS09-S2L1 at 7
        frames/s, HOTA is 35.4 with the right rate and 23.8 with 30.
        """
        self._begin(rate_fps)
        self._follow(self._first, self._now_s)
        self._first = None

    def _follow(self, found: Any, time_s: float) -> streamer.Tracks:
        self._now_s = time_s
        found = self._tracker.update(found, timestamp=time_s)
        found = found[found.tracker_id >= 0]
        alive = self._tracker.tracks
        self._born_s = {one: self._born_s.get(one, time_s) for one in alive}
        of_id = {one.tracker_id: one for one in alive}
        rows = [of_id[one] for one in found.tracker_id.tolist()]
        # The filter's state is x0, y0, x1, y1 and their changes per frame.
        rates = [one.state_estimator.kf.state.ravel()[4:] * self._rate_fps for one in rows]
        self._rates = np.array(rates, np.float32).reshape(-1, 4)
        ids = found.tracker_id.astype(np.int64) + self._first_id
        self._last_id = max(self._last_id, *ids.tolist(), 0)
        return streamer.Tracks(
            ids=ids,
            boxes=found.xyxy,
            scores=found.confidence if rows else np.empty(0, np.float32),
            labels=found.class_id if rows else np.empty(0, np.int32),
            velocities=(self._rates[:, :2] + self._rates[:, 2:]) * np.float32(0.5),
            age_s=np.array([time_s - self._born_s[one] for one in rows], np.float32),
            unseen_s=np.zeros(len(rows), np.float32),
            origin=np.full(len(rows), streamer.Origin.DETECTED),
            confirmed=np.ones(len(rows), np.bool_),
        )


def _check(time_s: float) -> None:
    if not math.isfinite(time_s):
        raise ValueError(f"time_s must be finite, not {time_s}")
