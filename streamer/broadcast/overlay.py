"""The boxes of a shown frame as JSON, which a browser draws over the live video. Pure functions."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streamer.broadcast.shown import CLOCK_HZ, ShownFrame
from streamer.interfaces import Scene
from streamer.render.colours.track_colours import TrackColours
from streamer.values.events import Watched


class LiveState(StrEnum):
    """Whether frames of a camera arrive."""

    STARTING = "starting"
    """No frame has arrived yet."""
    RUNNING = "running"
    LOST = "lost"
    """The camera sends no frames; the newest one stays."""
    ENDED = "ended"
    """The run has ended; the camera may start again."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of the video of a camera.

    Attributes:
        state: it.
        reason: why no frames arrive, one line; empty while they do.
    """

    state: LiveState
    reason: str = ""


def hello(camera: str) -> str:
    """The first message of an overlay WebSocket.

    `rtp` of each message is the RTP timestamp of its frame: `requestVideoFrameCallback` gives it to the page as
    `metadata.rtpTimestamp`.
    """
    return json.dumps({"hello": {"camera": camera, "rtp_clock_hz": CLOCK_HZ}})


def message(frame: ShownFrame | None, condition: Condition, colours: TrackColours) -> str:
    """The message for one frame, or for a change of the state, then with the newest frame again.

    Args:
        frame: None before the first.
        condition: of the camera.
        colours: of its tracks.
    """
    content: dict[str, Any] = {"rtp": None if frame is None else frame.rtp, "state": condition.state}
    if condition.reason:
        content["reason"] = condition.reason
    content |= {"tracks": []} if frame is None else scene_content(frame.scene, colours)
    return json.dumps(content, separators=(",", ":"))


def scene_content(scene: Scene, colours: TrackColours) -> dict[str, Any]:
    """What a message says of a scene: its time, its boxes relative to the frame, and its counts."""
    content: dict[str, Any] = {
        "time_s": round(scene.frame.time_s, 3),
        "age_s": round(time.monotonic() - scene.frame.captured_s, 3),
        "fps": round(scene.fps, 1),
        "width": scene.frame.width,
        "height": scene.frame.height,
        "tracks": _tracks(scene, colours),
    }
    counts = _counts(scene.watched)
    return content | ({"counts": counts} if counts else {})


def _tracks(scene: Scene, colours: TrackColours) -> list[dict[str, Any]]:
    width, height = scene.frame.width, scene.frame.height
    colour = colours.of(scene.tracks, scene.frame.time_s)
    return [
        {
            "id": one.id,
            "label": one.label,
            "score": round(one.score, 2),
            "colour": "#{:02x}{:02x}{:02x}".format(*colour[one.id]),
            "box": [
                round(one.box[0] / width, 4),
                round(one.box[1] / height, 4),
                round(one.box[2] / width, 4),
                round(one.box[3] / height, 4),
            ],
        }
        for one in scene.objects
    ]


def _counts(watched: Watched) -> dict[str, Any]:
    """What the rules count: crossings in and out of lines, tracks inside of zones, objects of `counts`."""
    found: dict[str, Any] = {}
    if watched.lines:
        found["lines"] = {line.name: [line.entered, line.left] for line in watched.lines}
    if watched.zones:
        found["zones"] = {zone.name: zone.inside for zone in watched.zones}
    if watched.counts:
        found["objects"] = {count.name: count.number for count in watched.counts}
    return found
