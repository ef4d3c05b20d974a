"""Reads and writes MOT Challenge text, and tracks the detections of a file. Owned by the calling thread.

The format (Leal-Taixé et al., "MOTChallenge 2015", arXiv:1504.01942, section 3.3) has one box per line, `frame,id,left,
top,width,height,conf,x,y,z`, with frames counted from 1 and lengths in pixels. Tracks have their class in place of `x`,
as the ground truth since MOT16 has; it is not read.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from streamer.errors import ConfigError, SinkError, SinkUnavailable, SourceUnavailable
from streamer.system import paths
from streamer.system.partial_file import PartialFile
from tracking.types import Detections, Tracker, Tracks

Rows = npt.NDArray[np.float64]
"""float64 `(N, 7)`: frame, id, left, top, width, height, confidence."""

_COLUMNS = ("frame", "id", "left", "top", "width", "height", "conf")
# Detectors round, and MOT Challenge counts pixels from 1: boxes up to this far outside the frame count as clipped.
_EDGE_PX = 1.0
_EXPECTED = ",".join(_COLUMNS) + ",..."


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """The result of `track_file`; as text it is one line.

    Attributes:
        frames: number of frames up to the last one in the file, including those without a detection.
        detections: number of rows read.
        tracks: number of distinct ids written.
        rows: number of rows written.
        elapsed_s: wall time of reading, tracking and writing, seconds.
    """

    frames: int
    detections: int
    tracks: int
    rows: int
    elapsed_s: float

    def __str__(self) -> str:
        fps = self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0
        return f"{self.frames} frames, {self.detections} detections, {self.tracks} tracks at {fps:.0f} frames/s"


def read_rows(path: Path) -> Rows:
    """All rows of a MOT Challenge file in file order; blank lines, spaces and trailing commas are ignored.

    Raises:
        SourceUnavailable: the file cannot be read.
        ConfigError: a malformed line; the message has its number.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # a file without rows is fine
                    rows = np.loadtxt(file, delimiter=",", usecols=range(len(_COLUMNS)), comments=None, ndmin=2)
            except ValueError:
                rows = None
            # The fast reader does not support blank lines with spaces, and does not report the wrong line.
            if rows is None or not _is_valid(rows):
                file.seek(0)
                rows = np.array(list(_slow_rows(path, file)), dtype=np.float64)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file; it must have lines like {_EXPECTED}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceUnavailable(f"cannot read {path}: {reason}; give a file in MOT Challenge layout") from error
    return rows.reshape(-1, len(_COLUMNS))


def read_detections(path: Path) -> Iterator[tuple[int, Detections]]:
    """The detections of every frame from index 0 (the file's frame 1) to the last one in the file, in order.

    All have label 0. The order of rows does not matter. Confidences are clipped to 0..1; if all are below 0 (usually
    -1, "unknown"), they count as 1.

    Raises:
        SourceUnavailable, ConfigError: as `read_rows`, before the first frame.
    """
    return _by_frame(read_rows(path))


def track_rows(
    index: int, tracks: Tracks, size: tuple[int, int], *, clip: bool = True, with_class: bool = False
) -> list[str]:
    """One line `frame,id,left,top,width,height,score,class,-1,-1` for each confirmed track that overlaps the frame.

    Args:
        index: 0-based index of the frame; the file counts from 1.
        tracks: boxes in pixels.
        size: width and height of the frame in pixels.
        clip: clip the boxes to the frame.
        with_class: write the label of each track as its class; otherwise -1, unknown.
    """
    boxes = tracks.boxes.astype(np.float64)
    shown = tracks.confirmed & (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < size).all(axis=1)
    boxes = boxes[shown]
    if clip:
        np.clip(boxes, 0, (*size, *size), out=boxes)
    boxes[:, 2:] -= boxes[:, :2]
    labels = tracks.labels[shown].tolist() if with_class else [-1] * len(boxes)
    values = zip(tracks.ids[shown].tolist(), boxes.tolist(), tracks.scores[shown].tolist(), labels, strict=True)
    return [
        f"{index + 1},{track_id},{left:.2f},{top:.2f},{width:.2f},{height:.2f},{score:.4f},{label},-1,-1\n"
        for track_id, (left, top, width, height), score, label in values
    ]


def track_file(
    detections_path: Path,
    *,
    fps: float | Fraction,
    size: tuple[int, int],
    tracker: Tracker,
    out_path: Path,
    overwrite: bool = False,
) -> TrackSummary:
    """Track the detections of a MOT Challenge file, as if they arrived live, and write another one.

    Only confirmed tracks that overlap the frame are written. Their boxes are clipped to it if all detections are;
    otherwise they may extend beyond it, as in the ground truth of MOT17.

    Args:
        detections_path: the detections.
        fps: frames per second; frame n is at (n - 1) / fps seconds.
        size: width and height of the frame in pixels.
        tracker: gets the detections of all frames in order.
        out_path: written under a temporary name and renamed when it is complete.
        overwrite: replace `out_path` if it exists.

    Raises:
        ConfigError: a malformed line, or an `fps` or `size` that is not positive.
        SourceUnavailable: the detections cannot be read.
        SinkUnavailable: the output exists, is the input, or cannot be created.
        SinkError: writing failed; no file is left.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"the frame rate must be above 0, not {fps}")
    if min(size) <= 0:
        raise ConfigError(f"the frame size must be above 0, not {size[0]}x{size[1]}")
    if paths.exists(out_path) and paths.exists(detections_path) and out_path.samefile(detections_path):
        raise SinkUnavailable(f"the output {out_path} is the input; choose another name")
    started_s = time.perf_counter()
    rows = read_rows(detections_path)
    output = PartialFile(out_path, overwrite=overwrite)
    try:
        with output.path.open("w", encoding="ascii", newline="\n") as file:
            frames, ids, written = _track(rows, float(fps), size, tracker, file)
        output.commit()
    except OSError as error:
        raise SinkError(f"cannot write {out_path}: {error.strerror or error}; no file was written") from error
    finally:
        output.discard()
    return TrackSummary(frames, len(rows), ids, written, time.perf_counter() - started_s)


def _track(rows: Rows, fps: float, size: tuple[int, int], tracker: Tracker, file: TextIO) -> tuple[int, int, int]:
    """Write the tracks of all frames; returns the numbers of frames, distinct ids and rows written."""
    corners = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    clip = bool((corners >= -_EDGE_PX).all() and (corners <= np.array((*size, *size)) + _EDGE_PX).all())
    frames = written = 0
    ids: set[str] = set()
    for index, detections in _by_frame(rows):
        lines = track_rows(index, tracker.update(detections, index / fps), size, clip=clip)
        file.writelines(lines)
        frames += 1
        written += len(lines)
        ids.update(line.split(",", 2)[1] for line in lines)
    return frames, len(ids), written


def _by_frame(rows: Rows) -> Iterator[tuple[int, Detections]]:
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    frames = rows[:, 0].astype(np.int64)
    boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1).astype(np.float32)
    known = bool((rows[:, 6] >= 0).any())
    scores = (np.clip(rows[:, 6], 0, 1) if known else np.ones(len(rows))).astype(np.float32)
    start = 0
    for index in range(int(frames[-1]) if len(frames) else 0):
        end = start
        while end < len(frames) and frames[end] == index + 1:
            end += 1
        yield index, Detections(boxes[start:end], scores[start:end], np.zeros(end - start, np.int32))
        start = end


def _is_valid(rows: Rows) -> bool:
    frames = rows[:, 0]
    return bool(
        np.isfinite(rows).all() and (frames >= 1).all() and (frames % 1 == 0).all() and (rows[:, 4:6] >= 0).all()
    )


def _slow_rows(path: Path, file: TextIO) -> Iterator[list[float]]:
    for number, line in enumerate(file, start=1):
        text = line.replace(" ", "").strip().rstrip(",")
        if not text:
            continue
        fields = text.split(",")[: len(_COLUMNS)]
        try:
            row = [float(field) for field in fields]
        except ValueError as error:
            raise ConfigError(f"{path} line {number}: {line.strip()[:60]!r} is not {_EXPECTED}") from error
        if len(row) < len(_COLUMNS):
            raise ConfigError(f"{path} line {number}: {len(row)} values, but {_EXPECTED} needs {len(_COLUMNS)}")
        if not _is_valid(np.array([row])):
            needs = "a whole frame number from 1, finite numbers, and width and height from 0"
            raise ConfigError(f"{path} line {number}: {line.strip()[:60]!r} needs {needs}")
        yield row
