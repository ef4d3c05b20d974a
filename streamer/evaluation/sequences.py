"""Sequences in MOT Challenge layout: `seqinfo.ini`, `gt/gt.txt`, `det/*.txt` and, if there are any, pictures.

The layout is that of Leal-Taixé et al., "MOTChallenge 2015", arXiv:1504.01942, and Milan et al., "MOT16",
arXiv:1603.00831. Everything that cannot be scored is refused here, with file and line. Main thread.
"""

from __future__ import annotations

import configparser
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamer.errors import ConfigError, SourceUnavailable
from streamer.system import paths
from streamer.values.mot import Rows, read_detections, read_rows
from tracking.types import BoolArray, Detections, IdArray

DETECTION_FILES = ("det.txt", "det_sim.txt")
PEDESTRIAN = 1
MOT15 = "MOT15"
# From MOT16 on ground truth has a class from 1 to 13 in column 8 (arXiv:1603.00831, table 5; 13 came with MOT20).
_CLASS_COLUMN = 7
_CLASSES = 13
_WITH_CLASSES = re.compile(r"MOT(16|17|20)(?!\d)")

Boxes = npt.NDArray[np.float64]
"""float64 `(N, 4)`: left, top, width, height in pixels, as the files have them."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """All rows of `gt.txt`, in file order; those that are not scored are there to excuse what they explain.

    Attributes:
        frames: int64 `(N,)`, from 1.
        ids: int64 `(N,)`, 0 or more, none twice in a frame.
        boxes: float64 `(N, 4)`, left, top, width, height in pixels; may reach beyond the picture.
        classes: int64 `(N,)`; all 1 (pedestrian) where the benchmark has none.
        scored: bool `(N,)`: MOT15, confidence not 0; others, confidence not 0 and class pedestrian.
    """

    frames: IdArray
    ids: IdArray
    boxes: Boxes
    classes: IdArray
    scored: BoolArray

    def by_frame(self, count: int) -> list[Boxes]:
        """The scored boxes of each of the frames 1 to `count`."""
        order = np.argsort(self.frames[self.scored], kind="stable")
        frames, boxes = self.frames[self.scored][order], self.boxes[self.scored][order]
        return np.split(boxes, np.searchsorted(frames, np.arange(2, count + 1)))


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence, known by its folder's name; frame k is at (k - 1) / fps seconds.

    Attributes:
        folder: as it was given.
        name: the folder's.
        fps: frames a second.
        frames: how many, `seqLength`.
        size: width and height of the picture in pixels.
        benchmark: `MOT15` (ground truth without classes), or another (with them).
        picture_folder: what `seqinfo.ini` calls the folder of pictures, which need not be there.
    """

    folder: Path
    name: str
    fps: Fraction
    frames: int
    size: tuple[int, int]
    benchmark: str = MOT15
    picture_folder: str = "img1"

    @classmethod
    def read(cls, folder: Path) -> Sequence:
        """The sequence in a folder; reads `seqinfo.ini`.

        `benchmark` is no key of the original files; without it, MOT16, 17 and 20 are known by the name's beginning, and
        anything else is MOT15.

        Raises:
            SourceUnavailable: no such folder, or no readable `seqinfo.ini`.
            ConfigError: a key is missing or its value cannot be.
        """
        file, keys = _seqinfo(folder)
        name = folder.name if folder.name not in ("", "..") else folder.resolve().name
        width, height = (_whole(file, keys, key) for key in ("imWidth", "imHeight"))
        known = _WITH_CLASSES.match(keys.get("name", name))
        return cls(
            folder,
            name,
            _rate(file, keys),
            _whole(file, keys, "seqLength"),
            (width, height),
            keys.get("benchmark") or (known[0] if known else MOT15),
            keys.get("imDir") or "img1",
        )

    def detections_path(self, name: str | None = None) -> Path:
        """`det/<name>` (`.txt` may be left out), or without a name `det.txt`, or `det_sim.txt` if only that is there.

        Raises:
            SourceUnavailable: it is not there; the message has what is.
        """
        folder = self.folder / "det"
        names = DETECTION_FILES if name is None else (name, f"{name}.txt")
        for candidate in (folder / each for each in names):
            if paths.is_file(candidate):
                return candidate
        there = ", ".join(sorted(path.name for path in folder.glob("*.txt") if path.is_file())) or "no detections"
        missing = " or ".join(DETECTION_FILES) if name is None else name
        raise SourceUnavailable(f"{folder}: no {missing}; there is {there}: choose with --det")

    def detections(self, name: str | None = None) -> list[Detections]:
        """The detections of every frame, `frames` of them; all have label 0, and may reach beyond the picture.

        Raises:
            SourceUnavailable: the file is not there.
            ConfigError: a malformed line, or a frame behind the last one; the message has the line.
        """
        path = self.detections_path(name)
        self._check_frames(path, read_rows(path)[:, 0])
        found = [seen for _, seen in read_detections(path)]
        return found + [Detections.empty()] * (self.frames - len(found))

    def ground_truth(self) -> GroundTruth:
        """What `gt/gt.txt` says.

        Raises:
            SourceUnavailable: the file is not there.
            ConfigError: a malformed line, a frame behind the last one, an id that is none or comes twice in a frame,
                a class that is none, or nothing to score against.
        """
        path = self.folder / "gt" / "gt.txt"
        rows = read_rows(path)
        self._check_frames(path, rows[:, 0])
        _check_ids(path, rows)
        classes = np.ones(len(rows)) if self.benchmark == MOT15 else _classes(path)
        scored = (rows[:, 6] != 0) & (classes == PEDESTRIAN)
        if not scored.any():
            kind = "confidence not 0" + ("" if self.benchmark == MOT15 else f" and class {PEDESTRIAN}")
            raise ConfigError(f"{path}: no row to score against ({kind}, {self.benchmark})")
        as_whole = rows[:, :2].astype(np.int64)
        return GroundTruth(as_whole[:, 0], as_whole[:, 1], rows[:, 2:6], classes.astype(np.int64), scored)

    def tracks(self, path: Path) -> Rows:
        """The rows of a tracker's file, `(N, 7)`: frame, id, left, top, width, height in pixels, score.

        Raises:
            SourceUnavailable: the file is not there.
            ConfigError: a malformed line, a frame behind the last one, an id that is none or comes twice in a frame.
        """
        rows = read_rows(path)
        self._check_frames(path, rows[:, 0])
        _check_ids(path, rows)
        return rows

    def _check_frames(self, path: Path, frames: npt.NDArray[np.float64]) -> None:
        _refuse(path, frames > self.frames, f"seqinfo.ini says seqLength={self.frames}; mend one of the two")


def read_all(folders: list[Path]) -> list[Sequence]:
    """The sequences in these folders.

    Raises:
        SourceUnavailable, ConfigError: as `Sequence.read`, or two have the same name, which names their results.
    """
    found: dict[str, Sequence] = {}
    for sequence in map(Sequence.read, folders):
        other = found.setdefault(sequence.name, sequence)
        if other is not sequence:
            raise ConfigError(f"{other.folder} and {sequence.folder} have the same name; score one at a time")
    return list(found.values())


def _seqinfo(folder: Path) -> tuple[Path, Mapping[str, str]]:
    file = folder / "seqinfo.ini"
    if not paths.is_dir(folder):
        raise SourceUnavailable(f"no folder {folder}; give a folder that holds seqinfo.ini, gt/ and det/")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with file.open(encoding="utf-8-sig") as opened:
            parser.read_file(opened)
    except OSError as error:
        remedy = "give a folder that holds seqinfo.ini, gt/ and det/"
        raise SourceUnavailable(f"cannot read {file}: {error.strerror or error}; {remedy}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        where = f" line {line}" if (line := getattr(error, "lineno", None)) else ""
        raise ConfigError(f"{file}{where}: not what an ini file looks like; it begins with [Sequence]") from error
    if not parser.has_section("Sequence"):
        raise ConfigError(f"{file}: no section [Sequence]")
    return file, parser["Sequence"]


def _rate(file: Path, keys: Mapping[str, str]) -> Fraction:
    text = _value(file, keys, "frameRate")
    try:
        fps = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"{file}: frameRate={text} is no frame rate like 25, 29.97 or 30000/1001") from error
    if fps <= 0:
        raise ConfigError(f"{file}: frameRate={text} must be above 0")
    return fps


def _whole(file: Path, keys: Mapping[str, str], key: str) -> int:
    text = _value(file, keys, key)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value >= 1 and value % 1 == 0):
        raise ConfigError(f"{file}: {key}={text} is no whole number above 0")
    return int(value)


def _value(file: Path, keys: Mapping[str, str], key: str) -> str:
    if not keys.get(key):
        raise ConfigError(f"{file}: no {key}; it is needed")
    return keys[key]


def _classes(path: Path) -> npt.NDArray[np.float64]:
    """Column 8 of each row."""
    found = []
    for number, fields in _lines(path):
        text = fields[_CLASS_COLUMN] if len(fields) > _CLASS_COLUMN else "missing"
        if not (text.replace(".", "", 1).isdecimal() and float(text) in range(1, _CLASSES + 1)):
            raise ConfigError(f"{path} line {number}: the class in column 8 is {text}, and must be 1 to {_CLASSES}")
        found.append(float(text))
    return np.array(found)


def _check_ids(path: Path, rows: npt.NDArray[np.float64]) -> None:
    ids = rows[:, 1]
    _refuse(path, (ids < 0) | (ids % 1 != 0), "the id of an object must be a whole number from 0")
    _refuse(path, _repeated(rows[:, :2]), "this id is in this frame already")


def _repeated(keys: npt.NDArray[np.float64]) -> BoolArray:
    """Which rows were there before."""
    repeated = np.ones(len(keys), np.bool_)
    if len(keys):
        repeated[np.unique(keys, axis=0, return_index=True)[1]] = False
    return repeated


def _refuse(path: Path, wrong: BoolArray, why: str) -> None:
    """Name the first row that is wrong, if any is."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        number, fields = list(_lines(path))[rows[0]]
        raise ConfigError(f"{path} line {number}: {','.join(fields)[:60]!r}: {why}")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every row, as `read_rows` counts rows."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            text = line.replace(" ", "").strip().rstrip(",")
            if text:
                yield number, text.split(",")
