"""Writes pictures through the sink, and reads them back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.config.output import OutputEntry
from streamer.features import SinkContext
from streamer.interfaces import Scene
from streamer.render.canvas import Canvas
from streamer.sinks.selection import open_sink
from streamer.sources.images.images import ImageSource, read_image
from streamer.values.states import FrameState
from tests.sinks.scenes import LABELS, tracks


def write_annotated(
    source: str | Path, to: str | Path, box: Sequence[float] = (), **settings: Any
) -> tuple[Path, list[str]]:
    """Write the pictures of a source as a run does, with a box or nothing on them; returns the output and the notes."""
    with ImageSource(source) as opened:
        entry = OutputEntry(to=str(to), **settings)
        sink = open_sink(entry, SinkContext(opened.info))
        with sink:
            for frame in opened:
                canvas = Canvas(frame.picture)
                if box:
                    canvas.outline(box, (250, 120, 10), 2)
                sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED, picture=canvas.picture))
    return Path(to), list(sink.notes)


def rgb_of(path: Path, pixel_format: str = "rgb24") -> npt.NDArray[Any]:
    """The picture in a file, upright: uint8 or uint16 `(height, width, channels)`."""
    return np.asarray(read_image(path)[0].reformat(format=pixel_format, threads=1).to_ndarray())
