"""Which classes of the truth a detection counts for. Built by the main thread; its tables never change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from streamer.classes import label_maps
from streamer.errors import ConfigError
from streamer.evaluation.detection.truth import rows_by_mid
from streamer.values.labels import LabelTable
from tracking.types import IdArray


class ClassMap:
    """The rows of the truth's classes for each row of the detector's.

    Classes are the same if their MIDs are, or their names where one of them has no MID. A class of the truth that the
    detector does not have counts for the detections of the classes below it, unless `exact`.

    Args:
        detector: the classes of the detections.
        truth: the classes of the truth.
        rows: those of them that are evaluated.
        expand: a detection also counts for every class above its own, as the Open Images Challenge asks for.
        exact: a class of the truth means itself only.

    Attributes:
        known: the rows of the evaluated classes that a detection can count for.

    Raises:
        ConfigError: the detector has none of the classes.
    """

    def __init__(self, detector: LabelTable, truth: LabelTable, rows: IdArray, *, expand: bool, exact: bool) -> None:
        by_mid = rows_by_mid(truth)
        by_name = {truth.names[row].casefold(): row for row in truth.used()}
        named = {row: by_name.get(detector.names[row].casefold()) for row in detector.used()}
        mids = {row: detector.mid(row) or _mid(truth, other, detector.names[row]) for row, other in named.items()}
        above = {row: _above(truth, mid) for row, mid in mids.items()}
        found: list[set[int]] = [set() for _ in range(len(detector))]
        for row, other in named.items():
            same = by_mid.get(mids[row])
            if same is None and other is not None and not (mids[row] and truth.mid(other)):
                same = other
            if same is not None:
                found[row].add(same)
            if expand:
                found[row] |= {by_mid[mid] for mid in above[row] if mid in by_mid}
        if not expand and not exact:
            _add_lower(found, above, truth)
        self.known = frozenset[int]().union(*found) & set(rows.tolist())
        if not self.known:
            wanted, there = _listed(truth, rows.tolist()), _listed(detector, detector.used())
            raise ConfigError(f"the detector has none of the evaluated classes ({wanted}); it has {there}")
        self._rows = [np.array(sorted(each & self.known), np.int64) for each in found]

    def __call__(self, labels: IdArray) -> tuple[IdArray, IdArray]:
        """The detections by the classes of the truth: for each, its number in `labels` and the row of the class."""
        targets = [self._rows[label] for label in labels.tolist()]
        source = np.repeat(np.arange(len(labels)), [len(each) for each in targets])
        return source.astype(np.int64), np.concatenate([np.empty(0, np.int64), *targets])


def _mid(truth: LabelTable, row: int | None, name: str) -> str:
    """The MID of a detector's class without one: that of the truth's class of this name, or of Open Images."""
    return (None if row is None else truth.mid(row)) or label_maps.mid_of(name)


def _above(truth: LabelTable, mid: str) -> frozenset[str]:
    """The MIDs of a class and of all classes above it."""
    if not mid:
        return frozenset()
    return frozenset((mid,) if truth.hierarchy is None else truth.hierarchy.above(mid))


def _add_lower(rows: list[set[int]], above: Mapping[int, frozenset[str]], truth: LabelTable) -> None:
    """Let the classes of the truth that the detector does not have count for those below them."""
    missing = set(truth.used()) - set[int]().union(*rows)
    targets = {truth.mids[row]: row for row in missing if truth.mid(row)}
    for row, mids in above.items():
        rows[row] |= {targets[mid] for mid in mids if mid in targets}


def _listed(labels: LabelTable, rows: Iterable[int], most: int = 5) -> str:
    names = [labels.names[row] for row in rows]
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
