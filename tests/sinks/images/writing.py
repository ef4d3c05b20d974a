"""Writes pictures through the sink, and reads them back."""

from __future__ import annotations

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


def write_annotated(source: str | Path, to: str | Path, **settings: Any) -> tuple[Path, list[str]]:
    """Write the pictures of a source as a run without detections does; returns the output and the notes."""
    with ImageSource(source) as opened:
        entry = OutputEntry(to=str(to), **settings)
        sink = open_sink(entry, SinkContext(opened.info))
        with sink:
            for frame in opened:
                picture = Canvas(frame.picture).picture
                sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED, picture=picture))
    return Path(to), list(sink.notes)


def rgb_of(path: Path, pixel_format: str = "rgb24") -> npt.NDArray[Any]:
    """The picture in a file, upright: uint8 or uint16 `(height, width, channels)`."""
    return np.asarray(read_image(path)[0].reformat(format=pixel_format, threads=1).to_ndarray())
