"""Tracks as JSON lines: one compact object a frame, for programs that read on. Owned by the thread that writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from streamer.config.output import OutputEntry
from streamer.features import SinkContext
from streamer.interfaces import Scene
from streamer.sinks.text.text_file import TextFileSink
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Origin

_HEAD = (
    '{"index":%d,"pts":%d,"time_base":"%s","time_s":%.6f,"segment":%d,"state":%s,"width":%d,"height":%d%s,"tracks":['
)
_TRACK = (
    '{"id":%d,%s,"score":%.4f,"box":[%.2f,%.2f,%.2f,%.2f],"box_normalized":[%.6f,%.6f,%.6f,%.6f],'
    '"origin":"%s","found_pts":%d,"age_s":%.6f}'
)
_ORIGINS = {int(origin): origin.name.lower() for origin in Origin}


class JsonLinesSink(TextFileSink):
    """Writes one JSON object and a newline a scene, UTF-8.

    Keys: `index`, `pts`, `time_base` (`"1/12800"`, seconds per tick), `time_s`, `segment`, `state` (`detected`,
    `interpolated`, `predicted`, `lost`: see `Scene.state`), `width`, `height` in pixels, and `tracks`, a list of
    objects with `id`, `label` (the readable name), `mid` (absent where the detector has none), `score` (4 decimals),
    `box` (x0, y0, x1, y1 in pixels of the upright frame, half-open, 2 decimals), `box_normalized` (the same, divided by
    width and height, 6 decimals), `origin` (`detected`, `interpolated`, `predicted`), `found_pts` (of the frame that it
    was found on last, in the same units as `pts`) and `age_s` (how long ago that was; below 0 for one that was carried
    back from a later frame). Frames of live sources have, where they are known, `raw_pts` (the sender's own time
    stamp), `wall_clock_s` (its clock, seconds since 1970) and `damage` (why no detector saw the frame).

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
    """What only frames of live sources have."""
    known = {
        "raw_pts": frame.raw_pts,
        "wall_clock_s": None if frame.wall_clock_s is None else round(frame.wall_clock_s, 6),
        "damage": frame.damage or None,
    }
    return "".join(f',"{key}":{json.dumps(value)}' for key, value in known.items() if value is not None)


class LineFormat:
    """Formats scenes as lines. One call of `%` for each track costs a third of what the `json` module takes."""

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
        """The keys that name a class; they are the same for every track of it."""
        text = self._names.get(label)
        if text is None:
            mid = labels.mid(label)
            text = '"label":' + json.dumps(labels.name(label), ensure_ascii=False)
            text += "" if mid is None else ',"mid":' + json.dumps(mid)
            self._names[label] = text
        return text
