"""Ground truth for detections: the boxes of each image and the classes that were checked on it. Immutable values.

Read by the main thread (`streamer.evaluation.detection.reading`), then used by it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from streamer.values.labels import LabelTable
from tracking.types import BoolArray, IdArray

Boxes = npt.NDArray[np.float64]
"""float64 `(N, 4)`: x0, y0, x1, y1."""


class Metric(StrEnum):
    """How detections are scored."""

    OPEN_IMAGES = "open-images"
    """The Open Images Challenge metric: average precision at IoU 0.5."""
    COCO = "coco"
    """The COCO metric: average precision over IoU 0.50 to 0.95."""


class Expansion(StrEnum):
    """To what the class hierarchy is applied: a box of a class is also one of every class above it."""

    BOTH = "both"
    TRUTH = "truth"
    NONE = "none"


@dataclass(frozen=True, slots=True, eq=False)
class TruthImage:
    """The ground truth of one image.

    Attributes:
        name: the file name, or the image id of Open Images, which is the file name without its suffix.
        boxes: float64 `(N, 4)`, x0, y0, x1, y1 in pixels of an image of `size`, or fractions of it without a size.
        labels: int64 `(N,)`, rows of `Truth.classes`.
        groups: bool `(N,)`, a box around several objects (group-of of Open Images, crowd of COCO).
        areas: float64 `(N,)`, the area of the object by which COCO sorts it into small, medium and large; in the square
            of the unit of `boxes`.
        present: rows of classes that the image-level labels confirm; None if every class was checked.
        absent: rows of classes that the image-level labels exclude.
        size: width and height in pixels; None if unknown.
        frame: 0-based number of the frame, of an image that is part of a video; else None.
    """

    name: str
    boxes: Boxes
    labels: IdArray
    groups: BoolArray
    areas: npt.NDArray[np.float64]
    present: frozenset[int] | None = None
    absent: frozenset[int] = frozenset()
    size: tuple[int, int] | None = None
    frame: int | None = None

    @property
    def verified(self) -> IdArray | None:
        """The classes whose detections count on this image; None if all do.

        On Open Images a detection of a class that nobody checked on this image is neither right nor wrong.
        """
        if self.present is None:
            return None
        return np.array(sorted(self.present | self.absent | set(self.labels.tolist())), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The ground truth of a set of images.

    Attributes:
        name: of the file with the boxes, for messages.
        classes: the classes; a row without a name is not used.
        images: in the order of the file; names are unique.
        metric: the metric of this kind of file.
        notes: what was left out, one line each.
    """

    name: str
    classes: LabelTable
    images: Sequence[TruthImage]
    metric: Metric
    notes: Sequence[str] = field(default_factory=tuple)

    def expanded(self) -> Truth:
        """The same with the class hierarchy applied, as the Open Images Challenge defines it.

        A box and a confirmed class also count for every class above; an excluded class also excludes every class below.
        Source: `oid_hierarchical_labels_expansion.py` of the TensorFlow Object Detection API.
        """
        above, below = _related(self.classes)
        return replace(self, images=[_expanded(image, above, below) for image in self.images])


def rows_by_mid(classes: LabelTable) -> dict[str, int]:
    """The row of each MID."""
    return {mid: row for row, mid in enumerate(classes.mids) if mid}


def _related(classes: LabelTable) -> tuple[list[list[int]], list[list[int]]]:
    """For each row, the rows above it and those below it, without itself."""
    rows = rows_by_mid(classes)
    above: list[list[int]] = [[] for _ in range(len(classes))]
    below: list[list[int]] = [[] for _ in range(len(classes))]
    for row in classes.used():
        for mid in sorted(classes.above(row)):
            other = rows.get(mid, row)
            if other != row:
                above[row].append(other)
                below[other].append(row)
    return above, below


def _expanded(image: TruthImage, above: list[list[int]], below: list[list[int]]) -> TruthImage:
    labels = image.labels.tolist()
    source = [at for at, label in enumerate(labels) for _ in range(1 + len(above[label]))]
    grown = [each for label in labels for each in (label, *above[label])]
    present = image.present
    if present is not None:
        present = present | {each for row in present for each in above[row]}
    return replace(
        image,
        boxes=image.boxes[source],
        labels=np.array(grown, np.int64),
        groups=image.groups[source],
        areas=image.areas[source],
        present=present,
        absent=image.absent | {each for row in image.absent for each in below[row]},
    )
