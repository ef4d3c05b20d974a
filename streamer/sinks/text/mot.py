"""Tracks as MOT Challenge text, one line a confirmed track and frame. Owned by the thread that writes it."""

from __future__ import annotations

from streamer.interfaces import Scene
from streamer.sinks.text.text_file import TextFileSink
from streamer.values.mot import track_rows


class MotSink(TextFileSink):
    """Writes `frame,id,left,top,width,height,score,-1,-1,-1`, frames counted from 1 (`Scene.frame.index` + 1),
    boxes clipped to the picture.

    Args:
        path: where to; written beside it and moved there when it is complete.
        overwrite: replace a file that is there already.

    Raises:
        SinkUnavailable: on entering, when `path` exists or cannot be created.
        SinkError: when it cannot be written on, or not be completed.
    """

    stage = "mot"

    def text_of(self, scene: Scene) -> str:
        """The rows of the confirmed tracks of the scene."""
        return "".join(track_rows(scene.frame.index, scene.tracks, (scene.frame.width, scene.frame.height)))
