"""Whole pictures out of interlaced ones: the lines of the second field, which shows a later moment, are made anew.

FFmpeg's `bwdif` makes them of the field that is kept and, where nothing moves, of what is there. It gives a picture
when it has the next, 40 ms later at 25 a second. Here it gets each picture twice, the second time in place of the next
and marked as progressive, which it passes on as it is: so a picture comes out at once, and as good (docs/live.md).
Used by the thread that decodes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import av
import av.filter
import cv2
import numpy as np
import numpy.typing as npt

Deinterlace = Literal["auto", "on", "off"]
"""`auto`: frames that are flagged as interlaced and show combing; `on`: every frame, whatever its flags."""

_LEAST_ROWS = 8  # bwdif asks for 3 rows of each plane
_COMB_LEVELS = 10  # by which three lines on end stand out from both their neighbours, to and fro
_COMB_CELL_PX = 16
_COMB_SHARE = 0.03  # of a cell: 8 pixels, an edge that is half a pixel on in the second field
_WIDE_PX = 960
_TICK = Fraction(1, 50)
_Gray = npt.NDArray[Any]  # uint8; OpenCV's stubs tell of what it gives only that it is an array


class Deinterlacer:
    """Takes the pictures of one stream in the order in which they are shown.

    Args:
        mode: which pictures are made anew; the others of an interlaced stream are only marked as progressive.
    """

    def __init__(self, mode: Deinterlace) -> None:
        self._mode = mode
        self._shape: tuple[object, ...] = ()
        self._filter: _Twice | None = None

    def progressive(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture without the comb of its second field; the same object where there is nothing to do.

        A new one has the times, the side data and all other properties of the old one. Of a picture whose kind `bwdif`
        does not know (a palette, semi-planar ones) the same comes back.
        """
        if self._mode == "off" or (self._mode == "auto" and not picture.interlaced_frame):
            return picture
        shape = picture.width, picture.height, picture.format.name
        if shape != self._shape:
            self._shape = shape
            self._filter = _Twice(picture) if _is_known(picture) else None
        if self._filter is None:
            return picture
        if self._mode == "auto" and not is_combed(picture):
            return self._filter.marked(picture)
        return self._filter.filtered(picture)


class _Twice:
    """The filters for pictures of one shape.

    Args:
        like: such a picture.
    """

    def __init__(self, like: av.VideoFrame) -> None:
        self._marks = {mode: _Graph(like, "setfield", mode) for mode in ("tff", "prog")}
        self._graph = _Graph(like, "bwdif", "mode=send_frame:deint=interlaced")
        self._count = 0
        self._push(_grey(like))  # in place of a picture before the first, or that would be left as it is

    def marked(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The same samples, marked as progressive."""
        return self._mark(picture, "prog")

    def filtered(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The first field as a whole picture."""
        first = picture if picture.interlaced_frame else self._mark(picture, "tff")
        wanted = self._count
        made = [*self._push(first), *self._push(self._mark(picture, "prog"))]
        frame = next((one for one in made if one.pts == wanted), picture)
        frame.pts, frame.time_base = picture.pts, picture.time_base
        return frame

    def _mark(self, picture: av.VideoFrame, mode: str) -> av.VideoFrame:
        graph = self._marks[mode]
        graph.entry.push(picture)
        marked = graph.exit.pull()
        assert isinstance(marked, av.VideoFrame)
        marked.pts, marked.time_base = picture.pts, picture.time_base
        return marked

    def _push(self, picture: av.VideoFrame) -> list[av.VideoFrame]:
        """What comes out, with the count of the picture that it was as its pts."""
        pts, time_base = picture.pts, picture.time_base
        picture.pts, picture.time_base = self._count, _TICK
        self._count += 1
        try:
            self._graph.entry.push(picture)
        finally:
            picture.pts = pts
            if time_base is not None:
                picture.time_base = time_base
        made: list[av.VideoFrame] = []
        while True:
            try:
                frame = self._graph.exit.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return made
            assert isinstance(frame, av.VideoFrame)
            if frame.pts is not None:
                frame.pts = round(frame.pts * (frame.time_base or _TICK) / _TICK)
            made.append(frame)


def is_combed(picture: av.VideoFrame) -> bool:
    """Whether lines stand out from both their neighbours, three on end to and fro, somewhere in a picture.

    Where nothing moves, and in pictures that are progressive but marked as interlaced, none do.

    Args:
        picture: planar YUV or grey; of more than 8 bits the upper 8 are looked at.
    """
    luma = _luma(picture)
    if luma.shape[1] >= _WIDE_PX:  # every second column tells as much in half of the time
        luma = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0]), interpolation=cv2.INTER_NEAREST)
    above, lines, below = luma[:-2], luma[1:-1], luma[2:]
    over = cv2.subtract(lines, cv2.max(above, below))
    under = cv2.subtract(cv2.min(above, below), lines)
    to_and_fro = cv2.max(
        cv2.min(cv2.min(over[:-2], under[1:-1]), over[2:]), cv2.min(cv2.min(under[:-2], over[1:-1]), under[2:])
    )
    stands_out = cv2.threshold(to_and_fro, _COMB_LEVELS, 255, cv2.THRESH_BINARY)[1]
    cells = max(stands_out.shape[1] // _COMB_CELL_PX, 1), max(stands_out.shape[0] // _COMB_CELL_PX, 1)
    shares = cv2.resize(stands_out, cells, interpolation=cv2.INTER_AREA)
    return bool(shares.max() >= 255 * _COMB_SHARE)


def _luma(picture: av.VideoFrame) -> _Gray:
    plane = picture.planes[0]
    bits = picture.format.components[0].bits
    if bits <= 8:
        return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]
    deep = np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)[:, : plane.width]
    return (deep >> bits - 8).astype(np.uint8)


def _is_known(picture: av.VideoFrame) -> bool:
    """Whether bwdif takes pictures of this kind as they are."""
    shape = picture.format
    planar = len({component.plane for component in shape.components}) == len(shape.components)
    return planar and not shape.has_palette and not shape.is_rgb and picture.height // 2 >= _LEAST_ROWS


class _Graph:
    """One filter, for pictures of one shape."""

    def __init__(self, like: av.VideoFrame, name: str, arguments: str) -> None:
        self._graph = av.filter.Graph()  # lives as long as its parts are used
        self._graph.threads = 1
        self.entry = self._graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=_TICK)
        node = self._graph.add(name, arguments)
        self.exit = self._graph.add("buffersink")
        self.entry.link_to(node)
        node.link_to(self.exit)
        self._graph.configure()


def _grey(like: av.VideoFrame) -> av.VideoFrame:
    grey = av.VideoFrame(like.width, like.height, like.format.name)
    for plane in grey.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    return grey
