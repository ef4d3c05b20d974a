"""Tracks as text: JSON lines and MOT Challenge. One thread writes a sink; the main thread enters and leaves it."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TextIO

import numpy as np

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SourceLost
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene
from streamer.sinks.muxing.muxer import write_failure
from streamer.system.partial_file import PartialFile, completes
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.mot import track_rows
from tracking.types import Origin

_HEAD = (
    '{"index":%d,"pts":%d,"time_base":"%s","time_s":%.6f,"segment":%d,"state":%s,"width":%d,"height":%d%s,"tracks":['
)
_TRACK = (
    '{"id":%d,%s,"score":%.4f,"box":[%.2f,%.2f,%.2f,%.2f],"box_normalized":[%.6f,%.6f,%.6f,%.6f],'
    '"origin":"%s","found_pts":%d,"age_s":%.6f}'
)
_ORIGINS = {int(origin): origin.name.lower() for origin in Origin}


class TextFileSink(SinkFeature):
    """A UTF-8 file with what `text_of` returns for each scene.

    Args:
        entry: `to` is the file; it is written beside it and moved there when it is complete.
        context: whether to replace a file that exists.

    Raises:
        SinkUnavailable: on entering, when the file exists or cannot be created.
        SinkError: when it cannot be written on, or not be completed.
    """

    stage: str
    main_thread = False
    wants_picture = False
    notes = ()

    def __init__(self, entry: OutputEntry, context: SinkContext) -> None:
        self._path = Path(entry.to)
        self._overwrite, self._live = context.overwrite, context.info.live
        self._partial: PartialFile | None = None
        self._file: TextIO | None = None

    @classmethod
    def file_of(cls, entry: OutputEntry) -> Path:
        """The file that it writes."""
        return Path(entry.to)

    @abstractmethod
    def text_of(self, scene: Scene) -> str:
        """The lines of a scene, each with its newline; may be empty."""

    def __enter__(self) -> Self:
        self._partial = PartialFile(self._path, overwrite=self._overwrite)
        try:
            # Line buffering: a program that reads through a pipe gets each line at once.
            self._file = self._partial.path.open("w", encoding="utf-8", newline="\n", buffering=1)
        except BaseException:
            self._partial.discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        partial, file = self._partial, self._file
        # A camera that does not come back ends the file, too: every line of it is complete.
        complete = completes(kind) or (self._live and kind is not None and issubclass(kind, SourceLost))
        self._partial = self._file = None
        if partial is None or file is None:
            return
        with ExitStack() as cleanup:
            cleanup.callback(partial.discard)
            try:
                file.close()
            except OSError as failure:
                if complete:
                    raise write_failure(self._path, failure) from failure
            if complete:
                partial.commit()

    def write(self, scene: Scene) -> None:
        """Add the scene's lines."""
        if self._file is None:
            raise SinkError(f"{self._path} is not open: enter the sink before writing")
        try:
            self._file.write(self.text_of(scene))
        except OSError as error:
            raise write_failure(self._path, error) from error


class MotSink(TextFileSink):
    """Writes `frame,id,left,top,width,height,score,-1,-1,-1`, frames counted from 1 (`Scene.frame.index` + 1),
    boxes clipped to the picture.

    Args and errors: as of `TextFileSink`.
    """

    stage = "mot"

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Never: the format has no suffix of its own, so `entry.sink` must name it."""
        return False

    def text_of(self, scene: Scene) -> str:
        """The rows of the scene's confirmed tracks."""
        return "".join(track_rows(scene.frame.index, scene.tracks, (scene.frame.width, scene.frame.height)))


class JsonLinesSink(TextFileSink):
    """Writes one JSON object and a newline per scene, in UTF-8.

    Keys: `index`, `pts`, `time_base` (`"1/12800"`, seconds per tick), `time_s`, `segment`, `state` (`detected`,
    `interpolated`, `predicted`, `lost`: see `Scene.state`), `width`, `height` in pixels, and `tracks`, a list of
    objects with `id`, `label` (the readable name), `mid` (absent if the detector has none), `score` (4 decimals),
    `box` (x0, y0, x1, y1 in pixels of the upright frame, half-open, 2 decimals), `box_normalized` (the same, divided by
    width and height, 6 decimals), `origin` (`detected`, `interpolated`, `predicted`), `found_pts` (of the frame
    of its last detection, in the units of `pts`) and `age_s` (time since then; negative if the detection is from a
    later frame). Frames of live sources may have `raw_pts` (the sender's time stamp), `wall_clock_s` (its clock,
    seconds since 1970) and `damage` (why no detector saw the frame).

    Args and errors: as of `TextFileSink`.
    """

    stage = "jsonl"

    def __init__(self, entry: OutputEntry, context: SinkContext) -> None:
        super().__init__(entry, context)
        self._format = LineFormat()

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """A path that ends in `.jsonl`."""
        return "://" not in entry.to and entry.to.lower().endswith(".jsonl")

    def text_of(self, scene: Scene) -> str:
        """The scene's line."""
        return self._format.line_of(scene)


def _live(frame: Frame) -> str:
    """The keys of live sources."""
    known = {
        "raw_pts": frame.raw_pts,
        "wall_clock_s": None if frame.wall_clock_s is None else round(frame.wall_clock_s, 6),
        "damage": frame.damage or None,
    }
    return "".join(f',"{key}":{json.dumps(value)}' for key, value in known.items() if value is not None)


class LineFormat:
    """Formats scenes as lines. One `%` per track takes a third of the time of the `json` module."""

    def __init__(self) -> None:
        self._table: LabelTable | None = None
        self._names: dict[int, str] = {}

    def line_of(self, scene: Scene) -> str:
        """The line of a scene, with its newline."""
        frame = scene.frame
        head = _HEAD % (
            frame.index,
            frame.pts,
            frame.time_base,
            frame.time_s,
            frame.segment,
            json.dumps(scene.state),
            frame.width,
            frame.height,
            _live(frame),
        )
        return f"{head}{','.join(self._tracks(scene))}]}}\n"

    def _tracks(self, scene: Scene) -> Iterator[str]:
        tracks = scene.tracks
        if scene.labels is not self._table:
            self._table, self._names = scene.labels, {}
        boxes = tracks.boxes.astype(np.float64)
        normalized = boxes / np.array([scene.frame.width, scene.frame.height] * 2, np.float64)
        pts = np.full(len(tracks), scene.frame.pts) if scene.found_pts is None else scene.found_pts
        age_s = (scene.frame.pts - pts) * float(scene.frame.time_base)
        columns = (tracks.ids, tracks.labels, tracks.scores, boxes, normalized, tracks.origin, pts, age_s)
        for track, label, score, box, share, *found in zip(*(column.tolist() for column in columns), strict=True):
            found[0] = _ORIGINS[found[0]]
            yield _TRACK % (track, self._name(scene.labels, label), score, *box, *share, *found)

    def _name(self, labels: LabelTable, label: int) -> str:
        """The keys that name a class; equal for all its tracks."""
        text = self._names.get(label)
        if text is None:
            mid = labels.mid(label)
            text = '"label":' + json.dumps(labels.name(label), ensure_ascii=False)
            text += "" if mid is None else ',"mid":' + json.dumps(mid)
            self._names[label] = text
        return text
