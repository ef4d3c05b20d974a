"""Events as JSON lines, and crossings as CSV. One thread writes a sink; the main thread enters and leaves it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from streamer.config.output import OutputEntry
from streamer.interfaces import Scene
from streamer.sinks.text.text_file import TextFileSink
from streamer.system.paths import encodable
from streamer.values.events import Event, EventKind

CROSSING_COLUMNS = ("time_s", "line", "direction", "track_id", "class", "camera")


class _EventFileSink(TextFileSink):
    """The base of both: it gets the events that end with the run, too (`streamer.interfaces.EventSink`)."""

    def write_end(self, scene: Scene) -> None:
        """Add the lines of the final events."""
        self.write(scene)


class EventsSink(_EventFileSink):
    """Writes one JSON object and a newline per event, in UTF-8, on the frame on which it is certain.

    Keys:
        rule: name of the line or zone.
        kind: what happened, such as `crossing`, `enter`, `leave` or `dwell`.
        direction: `in` or `out`, of a crossing only.
        phase: `moment`, or `start`, `update` and `end` of an event with a duration.
        number: of the event in its run, from 1; start, updates and end have the same.
        track, label: id and class of the track; 0 and empty if the event is not about one.
        time_s: when it happened, media time in seconds, 3 decimals.
        inside_s: how long the track has been in the zone, seconds, 3 decimals; not for a crossing.
        value: the number of objects, of `above`, `below` and `normal`.
        score: highest score of the track so far, 3 decimals.
        zones: names of the zones in which the track is.
        text: more for a person, of a covered or moved camera.
        camera: name of the camera or source.

    Args and errors: as of `TextFileSink`.
    """

    stage = "events"

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """False: `.jsonl` is for boxes, so the output must name this sink (`sink: events`)."""
        return False

    def text_of(self, scene: Scene) -> str:
        """The lines of the scene's events."""
        return "".join(f"{json.dumps(_values_of(event), ensure_ascii=False)}\n" for event in scene.watched.events)


class CrossingsSink(_EventFileSink):
    """Writes a heading, and one row per crossing in UTF-8, quoted as in RFC 4180; lines end with a newline alone.

    Columns:
        time_s: media time, seconds, 3 decimals.
        line: its name.
        direction: `in` or `out`.
        track_id, class: id and class of the track.
        camera: name of the camera or source.

    Args and errors: as of `TextFileSink`.
    """

    stage = "crossings"
    heading = ",".join(CROSSING_COLUMNS) + "\n"

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """False: `.csv` is for boxes, so the output must name this sink (`sink: crossings`)."""
        return False

    def text_of(self, scene: Scene) -> str:
        """The rows of the scene's crossings."""
        rows = io.StringIO(newline="")
        writer = csv.writer(rows, lineterminator="\n")
        for one in scene.watched.events:
            if one.kind is EventKind.CROSSING:
                named = one.rule, one.direction, one.track, one.label, encodable(one.camera)
                writer.writerow((f"{one.time_s:.3f}", *named))
        return rows.getvalue()


def _values_of(event: Event) -> dict[str, Any]:
    values = {
        "rule": event.rule,
        "kind": event.kind,
        "direction": event.direction,
        "phase": event.phase,
        "number": event.number,
        "track": event.track,
        "label": event.label,
        "time_s": round(event.time_s, 3),
        "inside_s": None if event.inside_s is None else round(event.inside_s, 3),
        "value": event.value,
        "score": None if event.score is None else round(event.score, 3),
        "zones": event.zones if event.track else None,
        "text": event.text or None,
        "camera": encodable(event.camera),
    }
    return {key: value for key, value in values.items() if value is not None}
