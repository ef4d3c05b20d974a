"""Deinterlacing: the lines of the second field, which shows a later moment, are interpolated.

FFmpeg's `bwdif` interpolates them from the first field and keeps them where nothing moves. It outputs a frame when it
has the next one, 40 ms later at 25 fps. Here it gets each frame twice, the second time in place of the next one and
flagged as progressive, which it passes on unchanged. So a frame is output at once, with the same quality
(docs/engineering/live.md). Used by the thread that decodes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.media.filters import Shape, filter_graph, shape_of

Deinterlace = Literal["auto", "on", "off"]
"""`auto`: frames that are flagged as interlaced and show combing; `on`: every frame, whatever its flags."""

_LEAST_ROWS = 8  # bwdif needs 3 rows of each plane
_COMB_LEVELS = 10  # by which three consecutive lines differ from both their neighbours, in alternating directions
_COMB_CELL_PX = 16
_COMB_SHARE = 0.03  # of a cell: 8 pixels, an edge that is shifted by half a pixel in the second field
_WIDE_PX = 960
_TICK = Fraction(1, 50)
_Gray = npt.NDArray[Any]  # uint8; OpenCV's stubs do not state the type


class Deinterlacer:
    """Deinterlaces the frames of one stream in presentation order.

    Args:
        mode: which frames are deinterlaced; other frames flagged as interlaced are only flagged as progressive.
    """

    def __init__(self, mode: Deinterlace) -> None:
        self._mode = mode
        self._shape: Shape | None = None
        self._filter: _FieldFilter | None = None

    def progressive(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame without combing; the same object if there is nothing to do.

        A new frame has the times, the side data and all other properties of the old one. A frame in a format that
        `bwdif` does not support (a palette, semi-planar ones) is returned unchanged.
        """
        if self._mode == "off" or (self._mode == "auto" and not frame.interlaced_frame):
            return frame
        if shape_of(frame) != self._shape:
            self._shape = shape_of(frame)
            self._filter = _FieldFilter(frame) if _is_supported(frame) else None
        if self._filter is None:
            return frame
        if self._mode == "auto" and not is_combed(frame):
            return self._filter.marked(frame)
        return self._filter.filtered(frame)


class _FieldFilter:
    """The filters for frames of one size and format.

    Args:
        like: such a frame.
    """

    def __init__(self, like: av.VideoFrame) -> None:
        self._marks = {mode: filter_graph(like, ("setfield", mode), time_base=_TICK) for mode in ("tff", "prog")}
        self._graph = filter_graph(like, ("bwdif", "mode=send_frame:deint=interlaced"), time_base=_TICK)
        self._count = 0
        self._push(_grey(like))  # in place of a frame before the first, which bwdif would pass on unchanged

    def marked(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The same samples, flagged as progressive."""
        return self._mark(frame, "prog")

    def filtered(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The deinterlaced frame."""
        first = frame if frame.interlaced_frame else self._mark(frame, "tff")
        number = self._count
        output = [*self._push(first), *self._push(self._mark(frame, "prog"))]
        result = next((one for one in output if one.pts == number), frame)
        result.pts, result.time_base = frame.pts, frame.time_base
        return result

    def _mark(self, frame: av.VideoFrame, mode: str) -> av.VideoFrame:
        graph = self._marks[mode]
        graph.vpush(frame)
        marked = graph.vpull()
        marked.pts, marked.time_base = frame.pts, frame.time_base
        return marked

    def _push(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """The output of the filter; the pts of each frame is its number in the input."""
        pts, time_base = frame.pts, frame.time_base
        frame.pts, frame.time_base = self._count, _TICK
        self._count += 1
        try:
            self._graph.vpush(frame)
        finally:
            frame.pts = pts
            if time_base is not None:
                frame.time_base = time_base
        output: list[av.VideoFrame] = []
        while True:
            try:
                result = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return output
            if result.pts is not None:
                result.pts = round(result.pts * (result.time_base or _TICK) / _TICK)
            output.append(result)


def is_combed(frame: av.VideoFrame) -> bool:
    """Whether a frame shows combing: three consecutive lines that differ alternately from their neighbours.

    There is none without motion, and in progressive frames that are flagged as interlaced.

    Args:
        frame: planar YUV or grey; of more than 8 bits the upper 8 are used.
    """
    luma = _luma(frame)
    if luma.shape[1] >= _WIDE_PX:  # every second column gives the same result in half of the time
        luma = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0]), interpolation=cv2.INTER_NEAREST)
    above, lines, below = luma[:-2], luma[1:-1], luma[2:]
    over = cv2.subtract(lines, cv2.max(above, below))
    under = cv2.subtract(cv2.min(above, below), lines)
    alternating = cv2.max(
        cv2.min(cv2.min(over[:-2], under[1:-1]), over[2:]), cv2.min(cv2.min(under[:-2], over[1:-1]), under[2:])
    )
    stands_out = cv2.threshold(alternating, _COMB_LEVELS, 255, cv2.THRESH_BINARY)[1]
    cells = max(stands_out.shape[1] // _COMB_CELL_PX, 1), max(stands_out.shape[0] // _COMB_CELL_PX, 1)
    shares = cv2.resize(stands_out, cells, interpolation=cv2.INTER_AREA)
    return bool(shares.max() >= 255 * _COMB_SHARE)


def _luma(frame: av.VideoFrame) -> _Gray:
    plane = frame.planes[0]
    bits = frame.format.components[0].bits
    if bits <= 8:
        return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]
    deep = np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)[:, : plane.width]
    return (deep >> bits - 8).astype(np.uint8)


def _is_supported(frame: av.VideoFrame) -> bool:
    """Whether bwdif supports the format without a conversion."""
    shape = frame.format
    planar = len({component.plane for component in shape.components}) == len(shape.components)
    return planar and not shape.has_palette and not shape.is_rgb and frame.height // 2 >= _LEAST_ROWS


def _grey(like: av.VideoFrame) -> av.VideoFrame:
    grey = av.VideoFrame(like.width, like.height, like.format.name)
    for plane in grey.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    return grey
