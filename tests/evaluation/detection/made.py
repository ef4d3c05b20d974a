"""Small sets of pictures with ground truth, and files of detections."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamer.evaluation.detection.detection_file import FORMAT
from tests.clips import write_picture
from tests.evaluation.detection.cases import CLASSES, Row

SIZE = (64, 48)
CATEGORIES = ("Person", "Car")


def write_pictures(folder: Path, names: Iterable[str] = ("a.png", "b.png"), size: tuple[int, int] = SIZE) -> Path:
    """A folder of pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_picture(folder / name, size=size)
    return folder


def write_rows(path: Path, pictures: Path, found: Sequence[Row]) -> None:
    """A file of detections from rows of `cases.FOUND_HEADER`; the pictures have one pixel, so boxes are fractions."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        rows[row[0]].append(row)
    lines = [header("made", CLASSES, CLASSES)]
    for picture in sorted(pictures.iterdir()):
        boxes = [[row[3], row[5], row[4], row[6]] for row in rows[picture.stem]]
        labels = [CLASSES.index(row[1]) for row in rows[picture.stem]]
        lines.append(line(picture, boxes, [row[2] for row in rows[picture.stem]], labels, size=(1, 1)))
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))


def header(detector: str, classes: Sequence[str], mids: Sequence[str] = ()) -> dict[str, Any]:
    """The first line of a file of detections."""
    return {
        "format": FORMAT, "detector": detector, "min_score": 0.001, "score": 0.5, "classes": classes, "mids": mids,
    }  # fmt: skip


def line(
    picture: Path,
    boxes: Sequence[Sequence[float]],
    scores: Sequence[float],
    labels: Sequence[int],
    size: tuple[int, int] = SIZE,
) -> dict[str, Any]:
    """The detections of one picture."""
    found = {"boxes": boxes, "scores": scores, "labels": labels}
    return {"image": picture.name, "width": size[0], "height": size[1], "bytes": picture.stat().st_size, **found}


def coco(
    boxes: Mapping[str, Sequence[tuple[int, Sequence[float]]]], size: tuple[int, int] = SIZE, **more: Any
) -> dict[str, Any]:
    """COCO JSON of the images: for each the rows of `CATEGORIES` with left, top, width and height."""
    images = [
        {"id": at, "file_name": name, "width": size[0], "height": size[1]} for at, name in enumerate(boxes, start=7)
    ]
    annotations: list[dict[str, Any]] = [
        {"image_id": image["id"], "category_id": kind + 1, "bbox": list(box), "iscrowd": 0}
        for image in images
        for kind, box in boxes[str(image["file_name"])]
    ]
    for at, annotation in enumerate(annotations):
        annotation |= {"id": at, "area": annotation["bbox"][2] * annotation["bbox"][-1]}
    categories = [{"id": row + 1, "name": name} for row, name in enumerate(CATEGORIES)]
    return {"images": images, "annotations": annotations, "categories": categories, **more}


def write_json(path: Path, content: Any) -> Path:
    """The content as JSON."""
    path.write_text(json.dumps(content))
    return path
