"""Scenes as JSON lines. One thread writes the sink; the main thread enters and leaves it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from streamer.config.output import OutputEntry
from streamer.features import SinkContext
from streamer.interfaces import Scene
from streamer.sinks.text.text_file import ORIGINS, LabelTexts, TextFileSink
from streamer.system.paths import encodable
from streamer.values.events import Watched
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable

_HEAD = (
    '{"index":%d,"pts":%d,"time_base":"%s","time_s":%.6f,"segment":%d,"state":%s,"width":%d,"height":%d%s,"tracks":['
)
_TRACK = (
    '{"id":%d,%s,"score":%.4f,"box":[%.2f,%.2f,%.2f,%.2f],"box_normalized":[%.6f,%.6f,%.6f,%.6f],'
    '"origin":"%s","found_pts":%d,"age_s":%.6f}'
)


class JsonLinesSink(TextFileSink):
    """Writes one JSON object and a newline per scene, in UTF-8.

    `json_lines.schema.json` beside this module describes each key with its unit. Boxes have 2 decimals, scores 4, times
    and normalized boxes 6. Keys that do not apply are absent: `file` except for pictures, `arrival_wall_clock_s`,
    `wall_clock_s`, `raw_pts` and `damage` except for live sources, `lines`, `zones`, `counts` and `presence` without
    such rules, `mid` where the detector has none.

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


def _optional(frame: Frame, watched: Watched) -> str:
    """The keys of cameras of a site, of pictures, of live sources and of rules."""
    known: dict[str, object] = {
        "camera": frame.stream or None,
        "file": encodable(frame.file) or None,
        "raw_pts": frame.raw_pts,
        "wall_clock_s": _rounded(frame.wall_clock_s),
        "arrival_wall_clock_s": _rounded(frame.arrival_wall_clock_s),
        "damage": frame.damage or None,
        "lines": [{"name": one.name, "in": one.entered, "out": one.left} for one in watched.lines] or None,
        "zones": [{"name": one.name, "inside": one.inside, "entered": one.entered} for one in watched.zones] or None,
        "counts": [{"name": one.name, "objects": one.number} for one in watched.counts] or None,
        "presence": [{"name": one.name, "present": one.present} for one in watched.presence] or None,
    }
    return "".join(
        f',"{key}":{json.dumps(value, ensure_ascii=False, separators=(",", ":"))}'
        for key, value in known.items()
        if value is not None
    )


def _rounded(clock_s: float | None) -> float | None:
    return None if clock_s is None else round(clock_s, 6)


class LineFormat:
    """Formats scenes as lines. One `%` per track takes a third of the time of the `json` module."""

    def __init__(self) -> None:
        self._classes = LabelTexts(LabelTable(()), _class_keys)

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
            _optional(frame, scene.watched),
        )
        return f"{head}{','.join(self._tracks(scene))}]}}\n"

    def _tracks(self, scene: Scene) -> Iterator[str]:
        tracks = scene.tracks
        if scene.labels is not self._classes.labels:
            self._classes = LabelTexts(scene.labels, _class_keys)
        boxes = tracks.boxes.astype(np.float64)
        normalized = boxes / np.array([scene.frame.width, scene.frame.height] * 2, np.float64)
        pts = np.full(len(tracks), scene.frame.pts) if scene.found_pts is None else scene.found_pts
        age_s = (scene.frame.pts - pts) * float(scene.frame.time_base)
        columns = (tracks.ids, tracks.labels, tracks.scores, boxes, normalized, tracks.origin, pts, age_s)
        for track, label, score, box, share, *found in zip(*(column.tolist() for column in columns), strict=True):
            found[0] = ORIGINS[found[0]]
            yield _TRACK % (track, self._classes[label], score, *box, *share, *found)


def _class_keys(labels: LabelTable, label: int) -> str:
    """The keys that name a class."""
    mid = labels.mid(label)
    name = '"label":' + json.dumps(labels.name(label), ensure_ascii=False)
    return name if mid is None else f'{name},"mid":{json.dumps(mid)}'
