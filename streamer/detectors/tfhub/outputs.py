"""Converts the outputs of a TensorFlow detector to `Detections`. Called by the detector thread.

The modules differ from their documentation: the columns `detection_class_names` and `detection_class_entities` are
swapped (the column with `/m/...` is used as MIDs), static shapes are `(None, 1)` for columns of rank 1 (all are
flattened), and the number of boxes varies down to 0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.classes.label_maps import MAX_ID
from streamer.detectors.tfhub.box_units import BoxUnits
from streamer.detectors.tfhub.signatures import Form
from streamer.errors import InvalidOutput
from streamer.values.labels import LabelTable
from tracking.types import Detections, FloatArray, IntArray

log = logging.getLogger(__name__)

_TOLERANCE = 1e-3
"""Rounding may move a box of a correct model so far beyond the frame, or a score beyond 1."""

Array = npt.NDArray[Any]


class OutputReader:
    """Makes detections from the outputs of a model for one frame.

    Args:
        form: of the model; defines the arrays.
        labels: names of its classes.
        min_score: detections below are left out.
    """

    def __init__(self, form: Form, labels: LabelTable, min_score: float) -> None:
        self._has_names = form.has_names
        self._labels = labels
        self._min_score = np.float32(min_score)
        self._row_of_mid = {mid: row for row, mid in enumerate(labels.mids) if mid}
        self._named = np.array([bool(name) for name in labels.names], np.bool_)
        self._units = BoxUnits(form.size)
        self._warned: set[str] = set()
        self.top_score: float | None = None
        """The highest score on the last frame, also below `min_score`; replaced by the detector thread, read by any."""
        self.unknown_classes: Mapping[str, int] = {}
        """How often each class that is not in the table was found so far; replaced by the detector thread, read by
        any."""

    def read(self, arrays: Sequence[Array], width: int, height: int) -> Detections:
        """Detections by falling score, boxes in pixels and clipped to the frame.

        A class id that is not in the table remains as the label (`LabelTable.name` names it `class 12`). A detection of
        an unknown MID is left out, because the ids of its module differ from those of the table.

        Args:
            arrays: the outputs in the order of `Form.outputs`.
            width, height: of the frame, pixels.

        Raises:
            InvalidOutput: lengths that differ, a batch of several frames, boxes or scores that are not finite, or
                scores outside 0..1.
            ModelError: boxes in pixels of a picture whose size is not known.
        """
        boxes, columns = _boxes(arrays[0]), [np.asarray(column).reshape(-1) for column in arrays[1:]]
        image_info = None
        if self._has_names:
            scores, ids, names, entities = columns
        else:
            scores, ids, count, *others = columns
            image_info = others[0] if others else None
            boxes, scores, ids = self._without_padding(boxes, scores, ids, count)
            names = entities = np.empty(0, object)
        lengths = [len(scores), len(ids)] + ([len(names), len(entities)] if self._has_names else [])
        if any(length != len(boxes) for length in lengths):
            raise InvalidOutput(
                f"the module gave {len(boxes)} boxes, but {', '.join(map(str, lengths))} scores, labels and names"
            )
        _check_finite(boxes, scores)
        self.top_score = float(scores.max(initial=0.0))
        rows = np.flatnonzero(scores >= self._min_score)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        labels = self._rows(ids[rows], names[rows], entities[rows]) if self._has_names else self._by_id(ids[rows])
        pixels = self._in_pixels(self._units.fractions(boxes[rows], image_info), width, height)
        kept = (pixels[:, 2] > pixels[:, 0]) & (pixels[:, 3] > pixels[:, 1]) & (labels >= 0)
        return Detections(pixels[kept], np.clip(scores[rows][kept], 0, 1), labels[kept])

    def _without_padding(
        self, boxes: FloatArray, scores: Array, ids: Array, count: Array
    ) -> tuple[Array, Array, Array]:
        """The valid rows: a model of the Object Detection API pads to a fixed number."""
        if count.size != 1 or not 0 <= count[0] <= len(boxes):
            raise InvalidOutput(f"the module gave {len(boxes)} boxes and {count.tolist()} as their number")
        valid = int(count[0])
        return boxes[:valid], scores[:valid], ids[:valid]

    def _rows(self, ids: Array, names: Array, entities: Array) -> IntArray:
        """Rows of the label table `(N,)`: by MID if the module gives MIDs, else by its 1-based ids; -1 if unknown."""
        mids = next((column for column in (names, entities) if len(column) and column[0].startswith(b"/")), None)
        if mids is None or not self._row_of_mid:
            return self._by_id(ids)
        texts = [mid.decode(errors="replace") for mid in mids]
        rows = np.array([self._row_of_mid.get(mid, -1) for mid in texts], np.int32)
        self._note_unknown(rows < 0, lambda at: texts[at], "left out")
        return rows

    def _by_id(self, ids: Array) -> IntArray:
        """Rows by id; ids may be floats. An unknown id remains; -1 is for what is no id."""
        is_id = (ids >= 0) & (ids <= MAX_ID) & (ids == np.floor(ids))
        rows: IntArray = np.where(is_id, ids, -1).astype(np.int32)
        unknown = (rows < 0) | (rows >= len(self._named))
        unknown[~unknown] = ~self._named[rows[~unknown]]
        self._note_unknown(unknown & is_id, lambda at: self._labels.name(int(rows[at])), "kept under this name")
        self._note_unknown(~is_id, lambda at: f"class {ids[at]:g}", "left out")
        return rows

    def _note_unknown(self, unknown: npt.NDArray[np.bool_], name: Callable[[int], str], outcome: str) -> None:
        """Count the unknown classes; the first one is reported."""
        for at in np.flatnonzero(unknown).tolist():
            if not self.unknown_classes:
                log.warning(
                    "the detector's module gives %s, which its label map does not have: %s (reported once); set "
                    "detector.label_map",
                    name(at),
                    outcome,
                )
            self.unknown_classes = {**self.unknown_classes, name(at): self.unknown_classes.get(name(at), 0) + 1}

    def _in_pixels(self, boxes: FloatArray, width: int, height: int) -> FloatArray:
        """From ymin, xmin, ymax, xmax as fractions to x0, y0, x1, y1 in pixels, clipped; both float32 `(N, 4)`."""
        if len(boxes):
            if boxes.min() < -_TOLERANCE or boxes.max() > 1 + _TOLERANCE:
                self._warn_once("boxes that reach beyond the frame; they are clipped")
            if (boxes[:, 2:] < boxes[:, :2]).any():
                self._warn_once("boxes with swapped corners; they are removed")
        size = np.array([width, height, width, height], np.float32)
        pixels: FloatArray = np.clip(boxes[:, [1, 0, 3, 2]] * size, 0, size)
        return pixels

    def _warn_once(self, what: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            log.warning("the detector's module gives %s (reported once)", what)


def _boxes(array: Array) -> FloatArray:
    """Boxes `(N, 4)` from `(N, 4)` or `(1, N, 4)`."""
    boxes = np.asarray(array, np.float32)
    if boxes.ndim == 3 and boxes.shape[0] == 1:
        boxes = boxes[0]
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InvalidOutput(f"the module gave boxes of shape {array.shape}; one frame has (N, 4) or (1, N, 4)")
    return boxes


def _check_finite(boxes: FloatArray, scores: Array) -> None:
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        broken = int((~(np.isfinite(boxes).all(axis=1) & np.isfinite(scores))).sum())
        raise InvalidOutput(f"the module gave boxes or scores that are not finite ({broken} of {len(boxes)})")
    if len(scores) and (scores.min() < -_TOLERANCE or scores.max() > 1 + _TOLERANCE):
        raise InvalidOutput(
            f"the module gave scores in {scores.min():g}..{scores.max():g}; export it with scores in 0..1"
        )
