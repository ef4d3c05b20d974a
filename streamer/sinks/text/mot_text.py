"""Tracks as MOT Challenge text. One thread writes the sink; the main thread enters and leaves it."""

from __future__ import annotations

from streamer.config.output import OutputEntry
from streamer.interfaces import Scene
from streamer.sinks.text.text_file import TextFileSink
from streamer.values.mot import track_rows


class MotSink(TextFileSink):
    """Writes `frame,id,left,top,width,height,score,class,-1,-1`, one row for each box that overlaps the frame.

    Columns:
        frame: counts from 1 (`Scene.frame.index` + 1).
        id: of the track.
        left, top: upper left corner in pixels of the upright frame, 2 decimals; the box is clipped to the frame.
        width, height: in pixels, 2 decimals.
        score: 0 to 1, 4 decimals.
        class: the row of the class in the label table, which `models labels` prints.
        -1, -1: not used.

    The class has the column of the ground truth of the MOT Challenge (Milan et al., "MOT16", arXiv:1603.00831, table
    5), but not its numbers. Programs that read results ignore this column, except TrackEval: it evaluates pedestrians
    only and refuses a class above 1.

    Args and errors: as of `TextFileSink`.
    """

    stage = "mot"

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """Whether the name ends in .txt, as the result files of the MOT Challenge do, or in .mot."""
        return "://" not in entry.to and entry.to.lower().endswith((".txt", ".mot"))

    def text_of(self, scene: Scene) -> str:
        """The rows of the scene's tracks."""
        size = scene.frame.width, scene.frame.height
        return "".join(track_rows(scene.frame.index, scene.tracks, size, with_class=True))
