"""Detections and tracks as objects with class names, for people who write scripts. Immutable; read by any thread.

A view is made in constant time, and the objects when they are asked for: a run that does not use them pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from streamer.values.labels import LabelTable
from tracking.types import Detections, FloatArray, IdArray, IntArray, Tracks


@dataclass(frozen=True, slots=True)
class Object:
    """One object on one frame.

    Attributes:
        label: name of its class.
        score: of its last detection, 0..1.
        box: x0, y0, x1, y1 in pixels of the upright frame, half-open; that of a track may reach beyond the frame.
        id: of its track, from 1; 0 for a detection, which has no track.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    id: int = 0

    @property
    def width(self) -> float:
        """Of the box, pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Of the box, pixels."""
        return self.box[3] - self.box[1]

    @property
    def center(self) -> tuple[float, float]:
        """x and y of the middle of the box, pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    def __repr__(self) -> str:
        edges = ", ".join(f"{edge:.1f}" for edge in self.box)
        track = f", id={self.id}" if self.id else ""
        return f"Object({self.label!r}, score={self.score:.2f}, box=({edges}){track})"


class Objects(Sequence[Object]):
    """The objects on one frame, in the order of its tracks or detections; the attributes are the same as arrays.

    Args:
        values: tracks or detections.
        table: of their labels.

    Attributes:
        boxes: float32 `(N, 4)`, x0, y0, x1, y1 in pixels of the upright frame, half-open.
        scores: float32 `(N,)` in [0, 1].
        class_ids: int32 `(N,)`, rows of the detector's label table.
        ids: int64 `(N,)` of the tracks, from 1; zeros for detections.
    """

    def __init__(self, values: Detections | Tracks, table: LabelTable) -> None:
        self._table = table
        self.boxes: FloatArray = values.boxes
        self.scores: FloatArray = values.scores
        self.class_ids: IntArray = values.labels
        self.ids: IdArray = values.ids if isinstance(values, Tracks) else np.zeros(len(values), np.int64)

    @property
    def labels(self) -> list[str]:
        """The class names, one for each object."""
        return [self._table.name(row) for row in self.class_ids.tolist()]

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Object]:
        rows = zip(self.labels, self.scores.tolist(), self.boxes.tolist(), self.ids.tolist(), strict=True)
        return (Object(label, score, (x0, y0, x1, y1), track_id) for label, score, (x0, y0, x1, y1), track_id in rows)

    @overload
    def __getitem__(self, index: int) -> Object: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Object]: ...

    def __getitem__(self, index: int | slice) -> Object | Sequence[Object]:
        return tuple(self)[index]

    def __repr__(self) -> str:
        return f"Objects([{', '.join(map(repr, self))}])"
