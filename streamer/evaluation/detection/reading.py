"""Reads the files of `--truth`, each recognised by its content. Called by the main thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.errors import ConfigError, SourceUnavailable
from streamer.evaluation.detection import coco_json, open_images_csv
from streamer.evaluation.detection.open_images_csv import Annotations
from streamer.evaluation.detection.truth import Truth

_KINDS = (
    "--truth takes one COCO JSON, or files of Open Images: boxes (CSV), image-level labels (CSV), class hierarchy "
    "(JSON), class descriptions (CSV)"
)


def read_truth(files: Sequence[Path]) -> Truth:
    """The ground truth in one COCO JSON, or in one or several files of Open Images.

    Raises:
        SourceUnavailable: a file cannot be read.
        ConfigError: a file is of another kind or malformed, or the files do not belong together.
    """
    annotations, coco = Annotations(), list[tuple[Path, Any]]()
    for path in files:
        if path.suffix.lower() != ".json":
            _add_csv(annotations, path)
            continue
        content = _json(path)
        if isinstance(content, dict) and "Subcategory" in content:
            annotations.hierarchy = content
        elif isinstance(content, dict) and ("annotations" in content or "images" in content):
            coco.append((path, content))
        elif isinstance(content, list):
            raise ConfigError(f"{path} is a list, such as COCO's results, and no ground truth; {_KINDS}")
        else:
            raise ConfigError(f"{path} is neither COCO JSON nor a class hierarchy; {_KINDS}")
    is_open_images = annotations != Annotations()
    if len(coco) > 1 or (coco and is_open_images):
        raise ConfigError(f"{coco[-1][0]} cannot be combined with {len(files) - 1} other files; {_KINDS}")
    if coco:
        return coco_json.read(*coco[0])
    if not annotations.boxes:
        raise ConfigError(f"no file with boxes among {', '.join(map(str, files)) or 'no files'}; {_KINDS}")
    return open_images_csv.read(annotations)


def _add_csv(annotations: Annotations, path: Path) -> None:
    header = open_images_csv.first_line(path)
    if "XMin" in header:
        annotations.boxes.append(path)
    elif "LabelName" in header and "Confidence" in header:
        annotations.labels.append(path)
    elif header[:1] == ["LabelName"] or (header and header[0].startswith("/")):
        annotations.names |= open_images_csv.read_descriptions(path)
    else:
        shown = ",".join(header)[:60] or "nothing"
        columns = ",".join(open_images_csv.BOX_COLUMNS)
        raise ConfigError(f"{path} begins with {shown!r}, not with the columns of Open Images ({columns}); {_KINDS}")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror or error}; check --truth") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON ({error}); {_KINDS}") from error
