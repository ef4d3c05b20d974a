"""The boxes of a clip: a JSON file beside it, for players that draw them over the video.

The display thread adds scenes; the thread of the clips writes files. A file has one line for each frame, so that it is
written while the clip lasts; it gets its name when it is complete.

    {"version": 1, "clip": NAME, "camera": NAME, "start_time": SECONDS SINCE 1970, "width": PIXELS, "height": PIXELS,
     "frames": [
    {"time_s":0.04,"tracks":[{"id":1,"label":"Car","score":0.9,"box":[X0,Y0,X1,Y1]}]}
    ],"duration_s":12.4}

`time_s` counts from the start of the clip. Boxes are in 0..1 of the width and height of the upright frame.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamer.errors import SinkError
from streamer.interfaces import Scene
from streamer.system.partial_file import PartialFile
from streamer.values.labels import LabelTable
from tracking.types import Tracks

VERSION = 1
_MOST_FRAMES = 20_000
"""Kept in memory: ten minutes at 30 frames/s."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBoxes:
    """The tracks on a frame, without its picture.

    Attributes:
        time: media time, seconds.
        tracks: in pixels.
        labels: of the tracks.
        size: width and height of the upright frame, pixels.
    """

    time: Fraction
    tracks: Tracks
    labels: LabelTable
    size: tuple[int, int]

    def line(self, begin: Fraction) -> str:
        """The JSON object of the frame in a clip that begins at a media time."""
        width, height = self.size
        rows = zip(self.tracks.ids, self.tracks.labels, self.tracks.scores, self.tracks.boxes, strict=True)
        tracks = [
            {
                "id": int(number),
                "label": self.labels.names[label],
                "score": round(float(score), 3),
                "box": [round(float(edge) / side, 5) for edge, side in zip(box, (width, height) * 2, strict=True)],
            }
            for number, label, score, box in rows
        ]
        return json.dumps({"time_s": round(float(self.time - begin), 6), "tracks": tracks}, separators=(",", ":"))


class RecentBoxes:
    """The boxes of the recent frames. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: deque[FrameBoxes] = deque(maxlen=_MOST_FRAMES)

    def add(self, scene: Scene) -> None:
        """The next shown frame."""
        frame = scene.frame
        size = frame.width, frame.height
        with self._lock:
            self._frames.append(FrameBoxes(frame.pts * frame.time_base, scene.tracks, scene.labels, size))

    def between(self, after: Fraction | None, begin: Fraction, end: Fraction) -> list[FrameBoxes]:
        """The frames from `begin` to `end` that are later than `after`; media times in seconds."""
        found: list[FrameBoxes] = []
        with self._lock:
            for boxes in reversed(self._frames):
                if boxes.time < begin or (after is not None and boxes.time <= after):
                    break
                if boxes.time <= end:
                    found.append(boxes)
        return found[::-1]

    def forget_before(self, time: Fraction) -> None:
        """Drop the frames before a media time, seconds."""
        with self._lock:
            while self._frames and self._frames[0].time < time:
                self._frames.popleft()


class BoxesFile:
    """The open file of a clip.

    Args:
        path: the final name; its folder exists.
        facts: of the clip: `clip`, `camera`, `start_time`.
        begin: media time of its start, seconds.

    Raises:
        SinkUnavailable: the file cannot be made.
        SinkError: from `write` and `finish`: the disk refuses.
    """

    def __init__(self, path: Path, facts: dict[str, Any], begin: Fraction) -> None:
        self._path, self._facts, self._begin = path, facts, begin
        self._last: Fraction | None = None
        self._partial = PartialFile(path)
        self._file = self._partial.path.open("w", encoding="utf-8")

    def write(self, recent: RecentBoxes, until: Fraction) -> None:
        """Write the new frames up to a media time, seconds."""
        frames = recent.between(self._last, self._begin, until)
        try:
            for boxes in frames:
                first = self._last is None
                if first:
                    self._write_head(boxes.size)
                self._file.write(("\n" if first else ",\n") + boxes.line(self._begin))
                self._last = boxes.time
            self._file.flush()  # a killed program leaves whole lines
        except OSError as error:
            raise self._refused(error) from error

    def finish(self, duration_s: float) -> int:
        """Complete the file and give it its name. Returns its size in bytes."""
        try:
            if self._last is None:
                self._write_head((0, 0))
            self._file.write(f'\n],"duration_s":{duration_s}}}\n')
            self._file.close()
            size = self._partial.path.stat().st_size
        except OSError as error:
            raise self._refused(error) from error
        self._partial.commit()
        return size

    def discard(self) -> None:
        """Remove the file. Does nothing after `finish`."""
        with suppress(OSError):
            self._file.close()
        self._partial.discard()

    def _write_head(self, size: tuple[int, int]) -> None:
        head = {"version": VERSION, **self._facts, "width": size[0], "height": size[1]}
        self._file.write(json.dumps(head)[:-1] + ',\n "frames": [')

    def _refused(self, error: OSError) -> SinkError:
        return SinkError(f"cannot write {self._path}: {error.strerror}; free some space or choose another store.folder")
