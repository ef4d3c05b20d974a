"""Makes a writable copy of a decoded frame and gives access to its planes as arrays.

The cached filter graph belongs to the calling thread; normally that is the main thread.
"""

from __future__ import annotations

import logging
import threading
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.reformatter import ColorRange

from streamer.errors import StreamerError
from streamer.render.layout import Layout, layout_of, nearest_drawable
from streamer.values import colour

_log = logging.getLogger(__name__)

Samples = npt.NDArray[Any]
"""uint8 or uint16, `(h, w)` for a plane with one channel, else `(h, w, channels)`; a view of the frame's memory."""


class _Copier(threading.local):
    """FFmpeg's `copy` filter for the format of the last frame.

    It takes buffers from a pool, and also copies side data (closed captions, HDR metadata), interlacing flags and
    sample aspect ratio, which PyAV's own constructor does not.
    """

    def __init__(self) -> None:
        self._key: tuple[str, int, int] | None = None
        self._graph: Graph | None = None

    def copy(self, picture: av.VideoFrame) -> av.VideoFrame:
        key = (picture.format.name, picture.width, picture.height)
        if self._graph is None or key != self._key:
            self._graph, self._key = _copy_graph(*key), key
        self._graph.vpush(picture)
        copy = self._graph.vpull()
        # PyAV writes an unknown time base as 0/1.
        copy.time_base = picture.time_base or Fraction(0, 1)
        # Otherwise the encoder would be forced to the decoder's I, P or B.
        copy.pict_type = 0
        return copy


_copier = _Copier()


def writable_copy(picture: av.VideoFrame) -> tuple[av.VideoFrame, Layout]:
    """A copy of a frame with the same pixels, time, tags and side data; and its layout.

    A pixel format that cannot be drawn on is converted to the nearest one that can (`nearest_drawable`); this is logged
    once.

    Raises:
        StreamerError: the pixel format can be neither drawn on nor converted.
    """
    software = picture.sw_format
    native = software.name if software is not None else picture.format.name
    layout = layout_of(native)
    if layout is None:
        layout = layout_of(nearest_drawable(software or picture.format))
        assert layout is not None
        _log_conversion(native, layout.name)
        return _converted(picture, layout), layout
    if software is not None:  # in GPU memory: the download is the copy
        return _converted(picture, layout), layout
    return _copier.copy(picture), layout


def plane_views(picture: av.VideoFrame, layout: Layout) -> tuple[Samples, ...]:
    """The planes of a frame as arrays that share its memory, without line padding and padding channels."""
    return tuple(_plane_view(plane, layout, index) for index, plane in enumerate(picture.planes))


def _plane_view(plane: Any, layout: Layout, index: int) -> Samples:
    channels = layout.planes[index]
    depth = 1 if layout.bits <= 8 else 2
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    samples = rows[:, : plane.width * len(channels) * depth]
    if depth == 2:
        samples = samples.view("<u2")
    if len(channels) == 1:
        return samples
    interleaved = samples.reshape(plane.height, plane.width, len(channels))
    if "-" in channels:
        return interleaved[..., 1:] if channels[0] == "-" else interleaved[..., :-1]
    return interleaved


def _copy_graph(pixel_format: str, width: int, height: int) -> Graph:
    graph = Graph()
    graph.threads = 1
    # The time base of the graph is not used: pts pass through unchanged.
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat(pixel_format), time_base=Fraction(1, 1000)
    )
    copy = graph.add("copy")
    sink = graph.add("buffersink")
    source.link_to(copy)
    copy.link_to(sink)
    graph.configure()
    return graph


def _converted(picture: av.VideoFrame, layout: Layout) -> av.VideoFrame:
    # The same on both sides, so that swscale changes neither matrix nor range.
    matrix, value_range = colour.swscale_matrix(picture), ColorRange.JPEG
    try:
        result = picture.reformat(
            format=layout.name,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=value_range,
            dst_color_range=value_range,
            interpolation="BILINEAR",
            threads=1,
        )
    except (av.FFmpegError, ValueError) as error:
        raise StreamerError(
            f"cannot draw on frames of pixel format {picture.format.name}: convert the input to yuv420p first"
        ) from error
    result.colorspace, result.color_range = picture.colorspace, picture.color_range
    result.pict_type = 0
    return result


@lru_cache(maxsize=64)
def _log_conversion(native: str, drawable: str) -> None:
    _log.info("frames of pixel format %s are converted to %s for drawing", native, drawable)
