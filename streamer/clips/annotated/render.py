"""Draws the boxes of a clip on its pictures. Used by the only thread of its process, on one processor.

Decoder, encoder and OpenCV have one thread each: more would be done sooner, and disturb the cameras more.
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamer.config.output import OutputEntry
from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable, StreamerError
from streamer.features import SinkContext
from streamer.interfaces import PassthroughSource, Scene
from streamer.render.annotators import Renderer
from streamer.render.boxes import BoxAnnotator
from streamer.render.labels.annotator import LabelAnnotator
from streamer.sinks.video.video import VideoSink
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Origin, Tracks

_HELD_S = 0.5
"""A frame that was not shown has the boxes of the frame before, unless those are older."""
_ROUNDED_S = 1e-4
"""Times in the file are rounded, and those of a container too."""


class ClipBoxes:
    """The boxes of a clip, as `streamer.clips.boxes` writes them.

    Args:
        path: of the JSON file.

    Raises:
        SourceUnavailable: it cannot be read, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        try:
            frames = json.loads(path.read_text(encoding="utf-8"))["frames"]
            self._times = [float(frame["time_s"]) for frame in frames]
            self._tracks: list[Sequence[Mapping[str, Any]]] = [frame["tracks"] for frame in frames]
            names = dict.fromkeys(str(track["label"]) for tracks in self._tracks for track in tracks)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceUnavailable(f"cannot read the boxes of a clip from {path}: {error}") from error
        self.labels = LabelTable(tuple(names))
        self._rows = {name: row for row, name in enumerate(names)}

    def at(self, time_s: float, size: tuple[int, int]) -> Tracks:
        """The tracks on the frame at a time of the clip; boxes in pixels of a picture of this width and height."""
        at = bisect_right(self._times, time_s + _ROUNDED_S) - 1
        if at < 0 or time_s - self._times[at] > _HELD_S or not self._tracks[at]:
            return Tracks.empty()
        found, sides = self._tracks[at], np.array((*size, *size), np.float32)
        count = len(found)
        return Tracks(
            ids=np.array([track["id"] for track in found], np.int64),
            boxes=np.array([track["box"] for track in found], np.float32) * sides,
            scores=np.array([track["score"] for track in found], np.float32),
            labels=np.array([self._rows[str(track["label"])] for track in found], np.int32),
            velocities=np.zeros((count, 2), np.float32),
            age_s=np.zeros(count, np.float32),
            unseen_s=np.zeros(count, np.float32),
            origin=np.full(count, Origin.DETECTED, np.uint8),
            confirmed=np.ones(count, np.bool_),
        )


def render(clip: Path, boxes: Path, target: Path) -> None:
    """Write a clip with its boxes and labels drawn, as H.264 that browsers play; the sound is copied.

    Args:
        clip: the video.
        boxes: its boxes.
        target: an .mp4 file; it appears when it is complete, and replaces an older one.

    Raises:
        StreamerError: a file cannot be read or written.
    """
    found = ClipBoxes(boxes)
    entry = OutputEntry(
        to=str(target), codec="h264", pixel_format="yuv420p", preset="veryfast", threads=1,
        options={"movflags": "+faststart"},
    )  # fmt: skip
    with ExitStack() as stack:
        source = stack.enter_context(open_source(str(clip), SourceSettings(threads=1)))
        passthrough = source.passthrough if isinstance(source, PassthroughSource) else None
        renderer = Renderer((BoxAnnotator(), LabelAnnotator()), source.info.sample_aspect_ratio)
        sink = stack.enter_context(VideoSink(entry, SinkContext(source.info, overwrite=True, passthrough=passthrough)))
        for frame in source:
            scene = _scene(frame, found, float(source.info.start))
            sink.write(replace(scene, picture=renderer.render(scene)))


def _scene(frame: Frame, boxes: ClipBoxes, start_s: float) -> Scene:
    tracks = boxes.at(frame.time_s - start_s, (frame.width, frame.height))
    return Scene(frame, tracks, boxes.labels, FrameState.DETECTED)


def main(arguments: Sequence[str]) -> int:
    """Render one clip. Returns the exit code; an error is one line on standard error."""
    cv2.setNumThreads(1)
    clip, boxes, target = map(Path, arguments)
    try:
        render(clip, boxes, target)
    except (StreamerError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0
