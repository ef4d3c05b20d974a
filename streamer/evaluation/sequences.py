"""Sequences in MOT Challenge layout: `seqinfo.ini`, `gt/gt.txt`, `det/*.txt` and optional images.

The layout is that of Leal-Taixé et al., "MOTChallenge 2015", arXiv:1504.01942, and Milan et al., "MOT16",
arXiv:1603.00831. Input that cannot be scored is refused with file and line.
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
# Since MOT16 column 8 of the ground truth is a class from 1 to 13 (arXiv:1603.00831, table 5; 13 since MOT20).
_CLASS_COLUMN = 7
_CLASSES = 13
_WITH_CLASSES = re.compile(r"MOT(16|17|20)(?!\d)")

Boxes = npt.NDArray[np.float64]
"""float64 `(N, 4)`: left, top, width, height in pixels, as in the files."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """All rows of `gt.txt` in file order. Rows that are not scored excuse the tracks that match them.

    Attributes:
        frames: int64 `(N,)`, from 1.
        ids: int64 `(N,)`, 0 or more, unique in a frame.
        boxes: float64 `(N, 4)`, left, top, width, height in pixels; may reach beyond the frame.
        classes: int64 `(N,)`; all 1 (pedestrian) if the benchmark has no classes.
        scored: bool `(N,)`: confidence is not 0 and, except in MOT15, the class is pedestrian.
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
    """One sequence, named after its folder. Frame k is at (k - 1) / fps seconds.

    Attributes:
        folder: the folder as given.
        name: name of the folder.
        fps: frame rate.
        frames: number of frames, `seqLength`.
        size: width and height of a frame in pixels.
        benchmark: `MOT15` (ground truth without classes), or another (with classes).
        picture_folder: name of the folder of images in `seqinfo.ini`; it need not exist.
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

        The original files have no key `benchmark`. Without it, names that begin with MOT16, MOT17 or MOT20 determine
        the benchmark; all others are MOT15.

        Raises:
            SourceUnavailable: the folder does not exist, or `seqinfo.ini` cannot be read.
            ConfigError: a key is missing or its value is invalid.
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
        """`det/<name>` (`.txt` is optional); without a name `det.txt`, or `det_sim.txt` if only that exists.

        Raises:
            SourceUnavailable: the file does not exist.
        """
        folder = self.folder / "det"
        names = DETECTION_FILES if name is None else (name, f"{name}.txt")
        for candidate in (folder / each for each in names):
            if paths.is_file(candidate):
                return candidate
        existing = ", ".join(sorted(path.name for path in folder.glob("*.txt") if path.is_file())) or "no detections"
        missing = " or ".join(DETECTION_FILES) if name is None else name
        raise SourceUnavailable(f"{folder}: no {missing}; there is {existing}: choose with --det")

    def detections(self, name: str | None = None) -> list[Detections]:
        """The detections of each of the `frames` frames, with label 0. Boxes may reach beyond the frame.

        Raises:
            SourceUnavailable: the file does not exist.
            ConfigError: a line is malformed or its frame is after the last one.
        """
        path = self.detections_path(name)
        self._check_frames(path, read_rows(path)[:, 0])
        found = [seen for _, seen in read_detections(path)]
        return found + [Detections.empty()] * (self.frames - len(found))

    def ground_truth(self) -> GroundTruth:
        """The content of `gt/gt.txt`.

        Raises:
            SourceUnavailable: the file does not exist.
            ConfigError: a line is malformed, its frame is after the last one, its id is invalid or repeated in a
                frame, its class is invalid, or no row can be scored.
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
            SourceUnavailable: the file does not exist.
            ConfigError: a line is malformed, its frame is after the last one, or its id is invalid or repeated in a
                frame.
        """
        rows = read_rows(path)
        self._check_frames(path, rows[:, 0])
        _check_ids(path, rows)
        return rows

    def _check_frames(self, path: Path, frames: npt.NDArray[np.float64]) -> None:
        _refuse(path, frames > self.frames, f"seqinfo.ini has seqLength={self.frames}; correct one")


def read_all(folders: list[Path]) -> list[Sequence]:
    """The sequences in these folders.

    Raises:
        SourceUnavailable, ConfigError: as of `Sequence.read`, or two sequences have the same name.
    """
    found: dict[str, Sequence] = {}
    for sequence in map(Sequence.read, folders):
        other = found.setdefault(sequence.name, sequence)
        if other is not sequence:
            raise ConfigError(f"{other.folder} and {sequence.folder} have the same name; evaluate them one by one")
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
        raise ConfigError(f"{file}{where}: not an ini file; it must begin with [Sequence]") from error
    if not parser.has_section("Sequence"):
        raise ConfigError(f"{file}: no section [Sequence]")
    return file, parser["Sequence"]


def _rate(file: Path, keys: Mapping[str, str]) -> Fraction:
    text = _value(file, keys, "frameRate")
    try:
        fps = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"{file}: frameRate={text} is not a frame rate; write 25, 29.97 or 30000/1001") from error
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
        raise ConfigError(f"{file}: {key}={text} is not a whole number above 0")
    return int(value)


def _value(file: Path, keys: Mapping[str, str], key: str) -> str:
    if not keys.get(key):
        raise ConfigError(f"{file}: the key {key} is missing")
    return keys[key]


def _classes(path: Path) -> npt.NDArray[np.float64]:
    """Column 8 of each row: the class."""
    found = []
    for number, fields in _lines(path):
        text = fields[_CLASS_COLUMN] if len(fields) > _CLASS_COLUMN else "missing"
        if not (text.replace(".", "", 1).isdecimal() and float(text) in range(1, _CLASSES + 1)):
            raise ConfigError(f"{path} line {number}: the class in column 8 must be 1 to {_CLASSES}, not {text}")
        found.append(float(text))
    return np.array(found)


def _check_ids(path: Path, rows: npt.NDArray[np.float64]) -> None:
    ids = rows[:, 1]
    _refuse(path, (ids < 0) | (ids % 1 != 0), "the id of an object must be a whole number from 0")
    _refuse(path, _repeated(rows[:, :2]), "the frame has this id already")


def _repeated(keys: npt.NDArray[np.float64]) -> BoolArray:
    """Which rows repeat an earlier one."""
    repeated = np.ones(len(keys), np.bool_)
    if len(keys):
        repeated[np.unique(keys, axis=0, return_index=True)[1]] = False
    return repeated


def _refuse(path: Path, wrong: BoolArray, why: str) -> None:
    """Raise ConfigError for the first wrong row, if there is one."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        number, fields = list(_lines(path))[rows[0]]
        raise ConfigError(f"{path} line {number}: {','.join(fields)[:60]!r}: {why}")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every row that `read_rows` returns."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            text = line.replace(" ", "").strip().rstrip(",")
            if text:
                yield number, text.split(",")
