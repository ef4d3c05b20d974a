"""FFmpeg filter graphs for frames of one size and format. A graph is used by one thread at a time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.filter import Graph

Filter = tuple[str, str | None]
"""The name of a filter, and its arguments."""
Shape = tuple[int, int, str]
"""Width, height and pixel format of frames: a graph must be built again when it changes."""
UNREADABLE = (15, 28, 29, 30, 31)
"""AVFrameSideDataType codes of FFmpeg 8.1 that PyAV 18.1 cannot read: it has no name for the last four, and it frees
the name that the PNG decoder gives an ICC profile (15) twice, which crashes."""
_TIMELESS = Fraction(1, 25)


def shape_of(frame: av.VideoFrame) -> Shape:
    """Width, height and pixel format."""
    return frame.width, frame.height, frame.format.name


def filter_graph(
    like: av.VideoFrame,
    *filters: Filter,
    pixel_format: av.VideoFormat | None = None,
    time_base: Fraction = _TIMELESS,
) -> Graph:
    """A graph with one input and one output; use its `vpush` and `vpull`.

    Args:
        like: a frame of the size of the input.
        filters: in their order.
        pixel_format: of the input, if it is not that of `like`.
        time_base: of the input.
    """
    graph = Graph()
    graph.threads = 1
    nodes = [
        graph.add_buffer(width=like.width, height=like.height, format=pixel_format or like.format, time_base=time_base),
        *(graph.add(name, arguments) for name, arguments in filters),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def without_side_data(kind: str | int) -> Filter:
    """The filter that deletes one kind of side data."""
    return "sidedata", f"mode=delete:type={kind}"


class SideDataCopy:
    """Reads the side data of frames from a copy of their corner.

    PyAV ties a frame whose side data are read into a reference cycle, so its memory would last until the garbage
    collector runs.
    """

    def __init__(self) -> None:
        self.shape: Shape | None = None
        self._graph: Graph | None = None

    def side_data(self, frame: av.VideoFrame) -> Any:
        """PyAV's container of the side data: a mapping by type in its stubs, a sequence in fact."""
        if self._graph is None or shape_of(frame) != self.shape:
            corner = ("crop", "w=min(iw,16):h=min(ih,16):x=0:y=0"), ("copy", None)
            self._graph = filter_graph(frame, *corner, *map(without_side_data, UNREADABLE))
            self.shape = shape_of(frame)
        self._graph.vpush(frame)
        return self._graph.vpull().side_data
