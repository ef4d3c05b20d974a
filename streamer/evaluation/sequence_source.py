"""The frames of a sequence as a source; blank frames if the sequence has no images. Used by the capture thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamer.evaluation.sequences import Sequence
from streamer.interfaces import StreamInfo
from streamer.sources.decode.source_base import SourceBase
from streamer.sources.selection import open_source
from streamer.values.frame import Frame


class SequenceSource(SourceBase):
    """Gives frame k, from 0, the time k / fps seconds, independent of its timestamp in the file.

    Args:
        sequence: gives the number and the size of the frames.
        fps: frame rate.
        images: a video or a folder of images; their size may differ from that of the sequence. Blank frames of its
            size if None.
    """

    def __init__(self, sequence: Sequence, fps: Fraction, images: Path | None) -> None:
        super().__init__()
        self._sequence = sequence
        self._time_base = 1 / fps
        self._opened = None if images is None else open_source(str(images))

    def __enter__(self) -> SequenceSource:
        self._check_unused()
        width, height = self._sequence.size
        if self._opened is not None:
            info = self._opened.__enter__().info
            width, height = info.width, info.height
        self._info = StreamInfo(self._sequence.name, width, height, "gray", self._time_base, 1 / self._time_base)
        self._frames = self._make_frames()
        return self

    def _release(self) -> None:
        if self._opened is not None:
            self._opened.__exit__(None, None, None)

    def _make_frames(self) -> Generator[Frame]:
        if self._opened is None:
            width, height = self._sequence.size
            blank = av.VideoFrame.from_ndarray(np.zeros((height, width), np.uint8), format="gray")
            for index in range(self._sequence.frames):
                yield Frame(blank, index, index, self._time_base, 0.0)
            return
        for frame in self._opened:
            yield replace(frame, pts=frame.index, time_base=self._time_base, duration=0, segment=0)
