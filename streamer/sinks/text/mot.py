"""Tracks as MOT Challenge text, one line a confirmed track and frame. Owned by the thread that writes it."""

from __future__ import annotations

from streamer.config.output import OutputEntry
from streamer.interfaces import Scene
from streamer.sinks.text.text_file import TextFileSink
from streamer.values.mot import track_rows


class MotSink(TextFileSink):
    """Writes `frame,id,left,top,width,height,score,-1,-1,-1`, frames counted from 1 (`Scene.frame.index` + 1),
    boxes clipped to the picture.

    Args and errors: as of `TextFileSink`.
    """

    stage = "mot"

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Never: no suffix stands for this format, so that it is asked for by name."""
        return False

    def text_of(self, scene: Scene) -> str:
        """The rows of the confirmed tracks of the scene."""
        return "".join(track_rows(scene.frame.index, scene.tracks, (scene.frame.width, scene.frame.height)))
