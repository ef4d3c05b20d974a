"""Detections that are kept in a file, so that an evaluation can be repeated, or go on after it was interrupted.

JSON lines: the first one describes the detector, each further one is a picture. An unfinished file has the suffix
`.part` behind its name. Written by the main thread.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

import numpy as np

from streamer.errors import ConfigError, SinkError, SinkUnavailable, SourceUnavailable
from streamer.evaluation.detection.pictures import Picture
from streamer.evaluation.detection.scores import Values
from streamer.evaluation.detection.truth import Boxes
from streamer.system import paths
from streamer.system.partial_file import sync
from streamer.values.labels import LabelTable
from tracking.types import IdArray

FORMAT = "streamer detections 1"
_BOX_DIGITS, _SCORE_DIGITS = 3, 6
_LONGEST_LINE = 1 << 24


@dataclass(frozen=True, slots=True)
class Header:
    """The detector of the detections.

    Attributes:
        detector: its name, without a login.
        labels: its classes.
        min_score: the lowest score of the detections.
        score: the lowest score that the detector reports by default.
    """

    detector: str
    labels: LabelTable
    min_score: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """The first line of a file."""
        return {
            "format": FORMAT,
            "detector": self.detector,
            "min_score": self.min_score,
            "score": self.score,
            "classes": list(self.labels.names),
            "mids": list(self.labels.mids),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The detections of one picture.

    Attributes:
        size: width and height of the picture in pixels.
        file_bytes: size of its file.
        boxes: float64 `(N, 4)`, x0, y0, x1, y1 in pixels of the upright picture.
        scores: float64 `(N,)`.
        labels: int64 `(N,)`, rows of the detector's classes.
    """

    size: tuple[float, float]
    file_bytes: int
    boxes: Boxes
    scores: Values
    labels: IdArray

    @classmethod
    def read(cls, line: Mapping[str, Any], classes: int) -> Self:
        """Raises KeyError, TypeError or ValueError for a line that is not valid."""
        boxes = np.array(line["boxes"], np.float64).reshape(-1, 4)
        scores, labels = np.array(line["scores"], np.float64), np.array(line["labels"], np.int64)
        if not len(boxes) == len(scores) == len(labels) or not np.isfinite(boxes).all():
            raise ValueError("boxes, scores and labels do not fit")
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError("a label is not among the classes")
        return cls((line["width"], line["height"]), int(line["bytes"]), boxes, scores, labels)

    def to_dict(self, key: str) -> dict[str, Any]:
        """A line of a file."""
        return {
            "image": key,
            "width": self.size[0],
            "height": self.size[1],
            "bytes": self.file_bytes,
            "boxes": np.round(self.boxes, _BOX_DIGITS).tolist(),
            "scores": np.round(self.scores, _SCORE_DIGITS).tolist(),
            "labels": self.labels.tolist(),
        }


@dataclass(slots=True)
class DetectionFile:
    """The detections of a set of pictures, with or without a file.

    Attributes:
        path: the final name; None keeps the detections in memory only.
        header: None before `begin` for a new file.
        found: by the key of the picture.
    """

    path: Path | None
    header: Header | None = None
    found: dict[str, Found] = field(default_factory=dict)
    _output: TextIO | None = None

    @classmethod
    def open(cls, path: Path | None) -> Self:
        """What the file, or else its unfinished form, holds already.

        Raises:
            SourceUnavailable: it cannot be read.
            ConfigError: it is no file of detections.
        """
        opened = cls(path)
        if path is not None:
            unfinished = opened.unfinished
            source = unfinished if paths.exists(unfinished) else path
            if paths.exists(source) and source.stat().st_size:
                opened._read(source)
        return opened

    @property
    def unfinished(self) -> Path:
        """The name of the unfinished file."""
        assert self.path is not None
        return self.path.with_name(f"{self.path.name}.part")

    def missing(self, pictures: list[Picture]) -> list[Picture]:
        """The pictures whose detections it lacks.

        Raises:
            ConfigError: the detections are those of other pictures with these names.
        """
        for picture in pictures:
            known = self.found.get(picture.key)
            if known is not None and known.file_bytes != picture.file_bytes:
                where = "the frames" if picture.path is None else str(picture.path)
                raise ConfigError(f"{self.path} was made with other pictures than {where}; name another --detections")
        return [picture for picture in pictures if picture.key not in self.found]

    def begin(self, header: Header) -> None:
        """Open the unfinished file for `add`, with what is there already.

        Raises:
            ConfigError: the detections that are there come from another detector.
            SinkUnavailable: the file cannot be written, or another process writes it.
        """
        if self.header is not None and self.header.to_dict() != header.to_dict():
            raise ConfigError(
                f"{self.path} holds detections of {self.header.detector} from score {self.header.min_score:g}, not of "
                f"{header.detector} from {header.min_score:g}; name another --detections"
            )
        if self.path is not None:
            try:
                self._output = self._opened(header)
            except BlockingIOError as error:
                raise SinkUnavailable(f"another process writes {self.unfinished}; wait until it has ended") from error
            except OSError as error:
                reason = error.strerror or error
                raise SinkUnavailable(f"cannot write {self.unfinished}: {reason}; name another --detections") from error
        self.header = header

    def add(self, picture: Picture, found: Found) -> None:
        """Keep the detections of a picture, rounded as in the file.

        Raises:
            SinkError: the file cannot be written.
        """
        assert self.header is not None
        line = found.to_dict(picture.key)
        self.found[picture.key] = Found.read(line, len(self.header.labels))
        if self._output is not None:
            try:
                self._output.write(json.dumps(paths.encodable(line), separators=(",", ":")) + "\n")
                self._output.flush()
            except OSError as error:
                raise SinkError(f"cannot write {self.unfinished}: {error.strerror or error}") from error

    def close(self, *, complete: bool) -> None:
        """Close the file; if it is complete, it gets its final name.

        Raises:
            SinkError: the file cannot be written or renamed.
        """
        if self.path is None:
            return
        try:
            if self._output is not None:
                self._output.close()
            if complete and paths.exists(self.unfinished):
                sync(self.unfinished)
                self.unfinished.replace(self.path)
        except OSError as error:
            raise SinkError(f"cannot finish {self.path}: {error.strerror or error}") from error

    def _opened(self, header: Header) -> TextIO:
        """The unfinished file, locked, with a header and whole lines only, at its end."""
        assert self.path is not None
        if not paths.exists(self.unfinished) and paths.exists(self.path):
            shutil.copyfile(self.path, self.unfinished)
        with ExitStack() as stack:
            output = stack.enter_context(self.unfinished.open("a+", encoding="utf-8"))
            fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
            whole = _whole_bytes(self.unfinished)
            output.truncate(whole)
            if whole == 0:
                output.write(json.dumps(paths.encodable(header.to_dict())) + "\n")
                output.flush()
            stack.pop_all()
        return output

    def _read(self, path: Path) -> None:
        for number, line in _lines(path):
            try:
                content = json.loads(line)
                if self.header is None:
                    self.header = _header(content)
                else:
                    self.found[str(content["image"])] = Found.read(content, len(self.header.labels))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                remedy = "not what --detections writes; name another file"
                raise ConfigError(f"{path} line {number}: {line[:60]!r}: {remedy}") from error


def _header(content: Any) -> Header:
    if content["format"] != FORMAT:
        raise ValueError(content["format"])
    labels = LabelTable(tuple(content["classes"]), tuple(content["mids"]))
    return Header(str(content["detector"]), labels, float(content["min_score"]), float(content["score"]))


def _whole_bytes(path: Path) -> int:
    """The size of a file without a last line that was cut off."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        begin = file.seek(max(0, size - _LONGEST_LINE))
        return begin + file.read().rfind(b"\n") + 1


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of the whole lines; the last line of an interrupted run may be cut off."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith("\n"):
                    yield number, line
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text; name another --detections") from error
    except OSError as error:
        raise SourceUnavailable(f"cannot read {path}: {error.strerror or error}; name another --detections") from error
