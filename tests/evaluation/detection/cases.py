"""Cases for the Open Images Challenge metric as CSV text and a hierarchy. Needs the standard library only, because
`make_goldens.py` runs them in the environment of the TensorFlow Object Detection API."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

BOX_HEADER = "ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf"
LABEL_HEADER = "ImageID,LabelName,Confidence"
FOUND_HEADER = "ImageID,LabelName,Score,XMin,XMax,YMin,YMax"

HIERARCHY = {
    "LabelName": "/m/root",
    "Subcategory": [
        {
            "LabelName": "/m/vehicle",
            "Subcategory": [
                {"LabelName": "/m/car", "Subcategory": [{"LabelName": "/m/taxi"}], "Part": [{"LabelName": "/m/wheel"}]},
                {"LabelName": "/m/amphibian"},
            ],
        },
        {"LabelName": "/m/boat", "Subcategory": [{"LabelName": "/m/amphibian"}]},
        {"LabelName": "/m/person", "Subcategory": [{"LabelName": "/m/man"}, {"LabelName": "/m/woman"}]},
        {"LabelName": "/m/tree"},
    ],
}
CLASSES = (
    "/m/vehicle", "/m/car", "/m/taxi", "/m/amphibian", "/m/boat", "/m/person", "/m/man", "/m/woman", "/m/tree",
)  # fmt: skip

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """Rows of `BOX_HEADER`, `LABEL_HEADER` and `FOUND_HEADER`; the hierarchy is not applied."""

    name: str
    boxes: Sequence[Row]
    labels: Sequence[Row] = ()
    found: Sequence[Row] = ()

    def csv(self, header: str, rows: Sequence[Row]) -> str:
        """The text of a file."""
        return "".join(",".join(map(str, row)) + "\n" for row in [tuple(header.split(",")), *rows])

    @property
    def texts(self) -> tuple[str, str, str]:
        """Boxes, image-level labels and detections."""
        return (
            self.csv(BOX_HEADER, self.boxes),
            self.csv(LABEL_HEADER, self.labels),
            self.csv(FOUND_HEADER, self.found),
        )


def box(image: str, kind: str, x: float, y: float, size: float = 0.2, group: int = 0) -> Row:
    """A square of truth."""
    return image, f"/m/{kind}", x, round(x + size, 6), y, round(y + size, 6), group


def hit(image: str, kind: str, score: float, x: float, y: float, size: float = 0.2) -> Row:
    """A square that was detected."""
    return image, f"/m/{kind}", score, x, round(x + size, 6), y, round(y + size, 6)


NAMED = (
    Case("exact", [box("a", "tree", 0.1, 0.1)], [], [hit("a", "tree", 0.9, 0.1, 0.1)]),
    Case("nothing detected", [box("a", "tree", 0.1, 0.1)]),
    Case(
        "several detections of one box",
        [box("a", "tree", 0.1, 0.1), box("a", "tree", 0.6, 0.6)],
        [],
        [hit("a", "tree", s, x, 0.1) for s, x in ((0.5, 0.1), (0.9, 0.13), (0.7, 0.11))],
    ),
    Case(
        "one detection on two boxes",
        [box("a", "tree", 0.1, 0.1), box("a", "tree", 0.14, 0.1)],
        [],
        [hit("a", "tree", 0.8, 0.12, 0.1), hit("a", "tree", 0.7, 0.13, 0.1)],
    ),
    Case(
        "iou at and below the threshold",
        [box("a", "tree", 0.0, 0.0, 0.5), box("b", "tree", 0.0, 0.0, 0.5)],
        [],
        [("a", "/m/tree", 0.9, 0.0, 0.5, 0.0, 0.25), ("b", "/m/tree", 0.8, 0.0, 0.5, 0.0, 0.2499)],
    ),
    Case(
        "group-of with detections inside",
        [box("a", "tree", 0.1, 0.1, 0.6, 1)],
        [],
        [hit("a", "tree", 0.9, 0.2, 0.2), hit("a", "tree", 0.8, 0.4, 0.4), hit("a", "tree", 0.7, 0.0, 0.8, 0.1)],
    ),
    Case("group-of without detections", [box("a", "tree", 0.1, 0.1, 0.6, 1), box("a", "tree", 0.75, 0.75)]),
    Case(
        "group-of around a single box",
        [box("a", "tree", 0.1, 0.1, 0.6, 1), box("a", "tree", 0.2, 0.2)],
        [],
        [hit("a", "tree", 0.9, 0.2, 0.2), hit("a", "tree", 0.8, 0.21, 0.2), hit("a", "tree", 0.6, 0.8, 0.8, 0.1)],
    ),
    Case(
        "two group-of boxes",
        [box("a", "tree", 0.0, 0.0, 0.5, 1), box("a", "tree", 0.3, 0.3, 0.5, 1)],
        [],
        [hit("a", "tree", 0.4, 0.32, 0.32, 0.1), hit("a", "tree", 0.6, 0.6, 0.6, 0.1), hit("a", "tree", 0.0, 0.1, 0.1)],
    ),
    Case(
        "classes that nobody checked",
        [box("a", "tree", 0.1, 0.1), box("b", "car", 0.1, 0.1)],
        [("b", "/m/tree", 0), ("a", "/m/person", 1)],
        [
            hit("a", "tree", 0.9, 0.1, 0.1),
            hit("a", "car", 0.95, 0.1, 0.1),
            hit("b", "tree", 0.93, 0.1, 0.1),
            hit("b", "person", 0.93, 0.1, 0.1),
            hit("b", "car", 0.5, 0.1, 0.1),
        ],
    ),
    Case(
        "an excluded parent excludes its children",
        [box("a", "taxi", 0.1, 0.1), box("b", "tree", 0.1, 0.1)],
        [("b", "/m/vehicle", 0)],
        [hit("a", "taxi", 0.5, 0.1, 0.1), hit("b", "taxi", 0.9, 0.1, 0.1), hit("b", "boat", 0.9, 0.1, 0.1)],
    ),
    Case(
        "an excluded child leaves its parent unchecked",
        [box("a", "car", 0.1, 0.1)],
        [("b", "/m/taxi", 0)],
        [hit("a", "car", 0.5, 0.1, 0.1), hit("b", "car", 0.9, 0.1, 0.1), hit("b", "taxi", 0.8, 0.1, 0.1)],
    ),
    Case(
        "a confirmed child confirms its parents",
        [box("a", "car", 0.1, 0.1)],
        [("b", "/m/taxi", 1)],
        [hit("a", "car", 0.5, 0.1, 0.1), hit("b", "car", 0.9, 0.1, 0.1), hit("b", "vehicle", 0.8, 0.1, 0.1)],
    ),
    Case(
        "a child that is detected as its parent",
        [box("a", "man", 0.1, 0.1), box("a", "woman", 0.5, 0.5)],
        [],
        [hit("a", "person", 0.9, 0.1, 0.1), hit("a", "woman", 0.8, 0.5, 0.5), hit("a", "man", 0.7, 0.5, 0.1)],
    ),
    Case(
        "a detector that reports parent and child",
        [box("a", "man", 0.1, 0.1)],
        [],
        [hit("a", "person", 0.9, 0.1, 0.1), hit("a", "man", 0.8, 0.11, 0.1)],
    ),
    Case(
        "a class with two parents",
        [box("a", "amphibian", 0.1, 0.1), box("a", "boat", 0.5, 0.5)],
        [],
        [hit("a", "amphibian", 0.9, 0.1, 0.1), hit("a", "boat", 0.8, 0.5, 0.5), hit("a", "vehicle", 0.7, 0.5, 0.5)],
    ),
    Case(
        "a class without truth",
        [box("a", "tree", 0.1, 0.1)],
        [("a", "/m/boat", 1)],
        [hit("a", "tree", 0.9, 0.1, 0.1), hit("a", "boat", 0.9, 0.1, 0.1)],
    ),
    Case(
        "an image without boxes",
        [box("a", "tree", 0.1, 0.1)],
        [("b", "/m/tree", 0)],
        [hit("b", "tree", 0.9, 0.1, 0.1), hit("a", "tree", 0.5, 0.1, 0.1)],
    ),
    Case(
        "empty boxes",
        [box("a", "tree", 0.1, 0.1), box("a", "tree", 0.5, 0.5, 0.0)],
        [],
        [
            hit("a", "tree", 0.9, 0.5, 0.5, 0.0),
            hit("a", "tree", 0.8, 0.1, 0.1),
            ("a", "/m/tree", 0.7, 0.5, 0.4, 0.1, 0.2),
        ],
    ),
    Case(
        "equal scores",
        [box("a", "tree", 0.1, 0.1), box("b", "tree", 0.1, 0.1)],
        [],
        [hit(image, "tree", 0.5, x, 0.1) for image in "ab" for x in (0.1, 0.6, 0.12)],
    ),
)


def drawn(seed: int) -> Case:
    """A case with a few images, boxes near each other, and detections near the boxes."""
    draw = random.Random(seed)
    kinds = [name.removeprefix("/m/") for name in CLASSES]
    boxes, labels, found = [], [], []
    for image in "abcde"[: draw.randint(1, 5)]:
        for _ in range(draw.randint(0, 5)):
            kind, x, y = draw.choice(kinds), _coordinate(draw, 0.6), _coordinate(draw, 0.6)
            size, group = draw.choice((0.1, 0.2, 0.35)), int(draw.random() < 0.25)
            boxes.append(box(image, kind, x, y, size, group))
            for _ in range(draw.randint(0, 3)):
                left, top = (max(0.0, round(value + draw.uniform(-0.08, 0.08), 6)) for value in (x, y))
                other = kind if draw.random() < 0.7 else draw.choice(kinds)
                found.append(hit(image, other, _score(draw), left, top, draw.choice((0.1, 0.2, 0.3))))
        known = {row[1] for row in boxes if row[0] == image}
        for name in draw.sample(CLASSES, draw.randint(0, 4)):
            if name not in known:
                labels.append((image, name, draw.randint(0, 1)))
        for _ in range(draw.randint(0, 4)):
            place = _coordinate(draw, 0.7), _coordinate(draw, 0.7)
            found.append(hit(image, draw.choice(kinds), _score(draw), *place))
    boxes = boxes or [box("a", "tree", 0.1, 0.1)]
    return Case(f"drawn {seed}", boxes, labels, found)


def cases() -> Iterator[Case]:
    """All cases."""
    yield from NAMED
    yield from (drawn(seed) for seed in range(100))


def _coordinate(draw: random.Random, most: float) -> float:
    return round(draw.uniform(0, most), 6)


def _score(draw: random.Random) -> float:
    return round(draw.uniform(0.01, 0.99), 6)
