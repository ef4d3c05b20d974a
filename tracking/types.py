"""The values exchanged by detectors, trackers and everything downstream.

`Detections` and `Tracks` are frozen structs of arrays. They are validated when they are built and read-only afterwards,
so threads can share them without copies. Boxes are `x0, y0, x1, y1` in pixels of the upright frame, half-open: a box
that covers pixels 3, 4 and 5 is 3..6, so width = x1 - x0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
"""float32 array; the shape is documented at each use."""
IntArray = npt.NDArray[np.int32]
IdArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
OriginArray = npt.NDArray[np.uint8]


class Origin(IntEnum):
    """The origin of a displayed box."""

    DETECTED = 0
    """Detected on this frame."""
    INTERPOLATED = 1
    """Interpolated between two detections."""
    PREDICTED = 2
    """Predicted by motion from the past."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The detections of one frame.

    Attributes:
        boxes: float32 `(N, 4)`, x0, y0, x1, y1 in pixels of the upright frame, half-open, x1 >= x0 and y1 >= y0.
        scores: float32 `(N,)` in [0, 1].
        labels: int32 `(N,)`, rows of the detector's label table.

    Raises:
        ValueError: wrong shape or length, a value that is not finite, or a box with swapped corners.
    """

    boxes: FloatArray
    scores: FloatArray
    labels: IntArray

    def __post_init__(self) -> None:
        if len(self.boxes) == 0:  # an empty list has no second axis
            object.__setattr__(self, "boxes", np.empty((0, 4), np.float32))
        _adopt(self, "boxes", np.float32, (len(self.boxes), 4))
        _adopt(self, "scores", np.float32, (len(self.boxes),))
        _adopt(self, "labels", np.int32, (len(self.boxes),))
        _check_boxes(self.boxes)
        if not np.isfinite(self.scores).all():
            raise ValueError("scores must be finite")

    @classmethod
    def empty(cls) -> Self:
        """No detections: N = 0."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, rows: npt.NDArray[Any]) -> Detections:
        """The rows of a boolean mask `(N,)` or an integer index array, in that order."""
        return Detections(self.boxes[rows], self.scores[rows], self.labels[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The tracks at one moment.

    Attributes:
        ids: int64 `(N,)`, >= 1, never reused by the same tracker.
        boxes: float32 `(N, 4)`, as in `Detections`.
        scores: float32 `(N,)`, of the last detection of each.
        labels: int32 `(N,)`, rows of the detector's label table.
        velocities: float32 `(N, 2)`, px/s of the box centre, x then y.
        age_s: float32 `(N,)`, seconds since the first detection of each.
        unseen_s: float32 `(N,)`, seconds since the last detection of each; 0 if detected now.
        origin: uint8 `(N,)`, values of `Origin`.
        confirmed: bool `(N,)`, false for a track on probation.

    Raises:
        ValueError: wrong shape or length, a value that is not finite, an id below 1, a box with swapped corners.
    """

    ids: IdArray
    boxes: FloatArray
    scores: FloatArray
    labels: IntArray
    velocities: FloatArray
    age_s: FloatArray
    unseen_s: FloatArray
    origin: OriginArray
    confirmed: BoolArray

    def __post_init__(self) -> None:
        n = len(self.ids)
        _adopt(self, "ids", np.int64, (n,))
        _adopt(self, "boxes", np.float32, (n, 4))
        for name in ("scores", "age_s", "unseen_s"):
            _adopt(self, name, np.float32, (n,))
        _adopt(self, "labels", np.int32, (n,))
        _adopt(self, "velocities", np.float32, (n, 2))
        _adopt(self, "origin", np.uint8, (n,))
        _adopt(self, "confirmed", np.bool_, (n,))
        _check_boxes(self.boxes)
        if n and int(self.ids.min()) < 1:
            raise ValueError("track ids start at 1")

    @classmethod
    def empty(cls) -> Self:
        """No tracks: N = 0."""
        zero = np.empty(0, np.float32)
        return cls(
            ids=np.empty(0, np.int64),
            boxes=np.empty((0, 4), np.float32),
            scores=zero,
            labels=np.empty(0, np.int32),
            velocities=np.empty((0, 2), np.float32),
            age_s=zero,
            unseen_s=zero,
            origin=np.empty(0, np.uint8),
            confirmed=np.empty(0, np.bool_),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: npt.NDArray[Any]) -> Tracks:
        """The rows of a boolean mask `(N,)` or an integer index array, in that order."""
        return Tracks(
            ids=self.ids[rows],
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            labels=self.labels[rows],
            velocities=self.velocities[rows],
            age_s=self.age_s[rows],
            unseen_s=self.unseen_s[rows],
            origin=self.origin[rows],
            confirmed=self.confirmed[rows],
        )


class Carried(NamedTuple):
    """Boxes moved by optical flow.

    Attributes:
        boxes: float64 `(N, 4)`, x0, y0, x1, y1 in pixels: moved with the image content of each box.
        camera: float64 `(N, 4)`, the same, moved by the camera's motion alone; equal to `boxes` if `trusted` is false.
        trusted: bool `(N,)`, whether enough of the content of the box was recognized.
    """

    boxes: npt.NDArray[np.float64]
    camera: npt.NDArray[np.float64]
    trusted: BoolArray


class Motion(Protocol):
    """The motion from one frame to a later one. Pure."""

    def carry(self, boxes: npt.NDArray[np.float64]) -> Carried:
        """Boxes `(N, 4)` on the earlier frame, x0, y0, x1, y1 in pixels, moved to the later one."""
        ...


class Tracker(Protocol):
    """Gives detections an identity over time. Used by one thread; instances share nothing."""

    def update(self, detections: Detections, time_s: float, motion: Motion | None = None) -> Tracks:
        """Process the detections of the frame at media time `time_s`; returns the tracks at that time.

        A `time_s` that is not after the previous one (a seek, a loop) must not corrupt the state.

        Args:
            detections: of that frame.
            time_s: seconds.
            motion: since the frame of the previous update; None if frames are not available.
        """
        ...

    def to_carry(self) -> npt.NDArray[np.float64]:
        """Boxes `(N, 4)`, x0, y0, x1, y1 in pixels, that the next `update` passes to its motion; N may be 0. Pure.

        A caller can start to move them before the detections arrive.
        """
        ...

    def predict(self, time_s: float) -> Tracks:
        """The tracks as expected at `time_s`. Pure."""
        ...

    def reset(self) -> None:
        """Forget all tracks (a new segment began). Ids continue."""
        ...


def _adopt(owner: object, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Check one field and freeze it; converts the dtype if needed."""
    given = getattr(owner, name)
    array = np.asarray(given, dtype=dtype)
    if array.shape != shape:
        wanted = "(N, 4)" if name == "boxes" else shape
        raise ValueError(f"{name} must have shape {wanted}, not {array.shape}")
    # A view, so that the caller's array is not frozen.
    array = array.view()
    array.flags.writeable = False
    object.__setattr__(owner, name, array)


def _check_boxes(boxes: FloatArray) -> None:
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite")
    swapped = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if swapped.any():
        box = ", ".join(f"{number:g}" for number in boxes[swapped][0].tolist())
        raise ValueError(f"boxes must be x0, y0, x1, y1 with x1 >= x0 and y1 >= y0, not {box}; x, y, width, height?")
