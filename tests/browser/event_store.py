"""A store with events, clips, boxes and pictures for the browser, and a site without cameras that shows it.

    python -m tests.browser.event_store FOLDER [COUNT]

writes such a store. The clips are real H.264 whose frames show their numbers, and the box of each frame is at a place
that follows from its number, so a test knows which box belongs to which picture.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from streamer.config.events import StoreSettings
from streamer.store.event_store import EventStore
from streamer.store.ids import Ulids
from streamer.store.records import Ending, EventRecord
from streamer.values.events import EventKind, EventPhase
from tests.api.sites import Served, served_site
from tests.clips import picture, write_video

NEWEST = 1_795_694_400.0
"""2026-11-26 12:00 UTC: the start of the newest event."""
STEP_S = 900.0
SIZE = (640, 360)
RATE_FPS = 25
CLIP_FRAMES = 200
BEFORE_S, LASTED_S = 3.0, 2.0
TRACK = 7
_DEADLINE_S = 60.0
# Camera, rule, kind, class, and what else an event has.
_KINDS: tuple[tuple[str, str, EventKind, str, dict[str, Any]], ...] = (
    ("door", "porch", EventKind.ENTER, "Person", {"zones": ("porch",)}),
    ("yard", "gate", EventKind.CROSSING, "Car", {"direction": "in"}),
    ("door", "porch", EventKind.ENTER, "Dog", {"zones": ("porch", "lawn")}),
    ("yard", "queue", EventKind.ABOVE, "", {"value": 7, "track": 0, "score": None}),
    ("yard", "visitors", EventKind.APPEAR, "Person", {}),
    ("door", "camera", EventKind.CAMERA_LOST, "", {"text": "no data for 5 s", "track": 0, "score": None}),
)


def event(number: int = 0, start_time: float | None = None, **fields: Any) -> EventRecord:
    """The event of a number, as it is when it has ended; 0 is the newest one, each further one is `STEP_S` earlier."""
    camera, rule, kind, label, more = _KINDS[number % len(_KINDS)]
    begin = NEWEST - STEP_S * number if start_time is None else start_time
    values = {"track": TRACK, "score": 0.87, "ending": Ending.RULE, **more, **fields}
    lasted_s = 0.0 if kind is EventKind.CROSSING else LASTED_S
    values = {"id": Ulids(lambda: begin)(), "end_time": begin + lasted_s, "end_s": 60.0 + lasted_s, **values}
    return EventRecord(camera=camera, rule=rule, kind=kind, start_time=begin, start_s=60.0, label=label, **values)


def box(number: int) -> list[float]:
    """The box on the frame of a number: left, top, right, bottom in 0..1. It moves to the right."""
    left = 0.05 + 0.7 * number / CLIP_FRAMES
    return [left, 0.4, left + 0.2, 0.8]


class EventFiles:
    """The files of all events of a store: made once, linked for each event."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        names = {"clip": ".mp4", "annotated": "-annotated.mp4", "boxes": ".boxes.json", "snapshot": ".jpg", "crop": "-crop.jpg"}  # fmt: skip # noqa: E501
        self._made = {field: folder / f"made{suffix}" for field, suffix in names.items()}
        write_video(self._made["clip"], size=SIZE, frames=CLIP_FRAMES, rate=RATE_FPS, audio=True, options={"g": "50"})
        shutil.copy(self._made["clip"], self._made["annotated"])
        tracks = [
            [{"id": TRACK, "label": "Person", "score": 0.87, "box": box(number)}] for number in range(CLIP_FRAMES)
        ]
        frames = [{"time_s": number / RATE_FPS, "tracks": found} for number, found in enumerate(tracks)]
        content = {"version": 1, "camera": "door", "start_time": 0.0, "width": SIZE[0], "height": SIZE[1]}
        duration_s = CLIP_FRAMES / RATE_FPS
        self._made["boxes"].write_text(json.dumps({**content, "frames": frames, "duration_s": duration_s}))
        whole = cv2.cvtColor(picture(int(BEFORE_S * RATE_FPS), SIZE), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(self._made["snapshot"]), whole)
        cv2.imwrite(str(self._made["crop"]), whole[120:320, 200:400])

    def attach(self, store: EventStore, record: EventRecord, fields: Sequence[str] = ()) -> None:
        """Give an event its files; without `fields`, all of them."""
        day = f"{record.camera}/{datetime.fromtimestamp(record.start_time, UTC).date().isoformat()}"
        (store.folder / day).mkdir(parents=True, exist_ok=True)
        chosen = fields or tuple(self._made)
        values: dict[str, Any] = {}
        for field in chosen:
            made = self._made[field]
            values[field] = f"{day}/{record.id}{made.name.removeprefix('made')}"
            os.link(made, store.folder / values[field])
            values["bytes"] = values.get("bytes", 0) + made.stat().st_size
        if "clip" in chosen:
            values |= {"clip_start_time": record.start_time - BEFORE_S, "clip_duration_s": CLIP_FRAMES / RATE_FPS}
        store.attach(record.id, **values)


def fill(store: EventStore, files: EventFiles, count: int) -> list[EventRecord]:
    """Store events with all files; the newest first."""
    made = [event(number) for number in range(count)]
    for record in reversed(made):
        store.save(record, EventPhase.END)
        files.attach(store, record)
    assert store.flush(_DEADLINE_S)
    return made


@contextmanager
def event_site(folder: Path, *, stored: bool = True, port: int = 0) -> Iterator[Served]:
    """A running site without cameras. Events that are saved in its store appear on its page.

    Args:
        folder: of the site; its store is in the folder `events`.
        stored: whether it has a store.
        port: 0: a free one.
    """
    store = {"folder": str(folder / "events"), "keep_days": None, "min_free_gb": 0}
    sections: dict[str, Any] = {"store": store} if stored else {}
    with served_site(folder, port=port, **sections) as served:
        yield served


def _write(folder: Path, count: int) -> None:
    with EventStore(StoreSettings(folder=folder / "events", keep_days=None, min_free_gb=0)) as store:
        fill(store, EventFiles(folder / "made"), count)


if __name__ == "__main__":
    _write(Path(sys.argv[1]), int(next(itertools.chain(sys.argv[2:], ["60"]))))
