"""What decoded pictures tell beside their samples: 360 degree and stereo 3D layouts, HDR metadata, closed captions.

Pure; used by the thread that reads a source and by those that write sinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import av
from av.filter import Graph

SPHERICAL, STEREO = "SPHERICAL", "STEREO3D"
MASTERING, LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
NAMES: Mapping[str, str] = MappingProxyType(
    {
        SPHERICAL: "360 degree projection",
        STEREO: "stereo 3D layout",
        MASTERING: "HDR10 mastering display",
        LIGHT: "HDR10 content light level",
        "A53_CC": "closed captions (A/53)",
        "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
        "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
        "DOVI_METADATA": "Dolby Vision metadata",
        "DOVI_RPU_BUFFER": "Dolby Vision metadata",
        "AMBIENT_VIEWING_ENVIRONMENT": "ambient viewing environment",
        "ICC_PROFILE": "ICC profile",
        "AFD": "active format description (AFD)",
        "S12M_TIMECODE": "timecode of each frame (SMPTE 12M)",
    }
)
"""FFmpeg's names of the side data of frames that people miss when it is gone, and theirs."""
LAYOUTS = frozenset({SPHERICAL, STEREO})
"""Those that tell where in a picture the views are."""


UNREADABLE = (15, 28, 29, 30, 31)
"""AVFrameSideDataType codes of FFmpeg 8.1 that PyAV 18.1 must not meet when it is asked for any side data: it has no
name for the last four, and frees the name that the PNG decoder gives an ICC profile (15) twice, which crashes."""


class SideDataReader:
    """Reads the side data that `NAMES` knows; of an ICC profile only that there is one, from the first of a shape."""

    def __init__(self) -> None:
        self._shape: tuple[int, int, str] | None = None
        self._stamp: Graph | None = None
        self._has_profile = False

    def read(self, picture: av.VideoFrame) -> dict[str, bytes]:
        """FFmpeg's names and structures of the side data of a decoded picture."""
        shape = picture.width, picture.height, picture.format.name
        if self._stamp is None or shape != self._shape:
            self._shape = shape
            # From a small copy: asking a picture for side data ties it into a reference cycle, so that its memory lasts
            # until the garbage collector comes by.
            deleted = [("sidedata", f"mode=delete:type={kind}") for kind in UNREADABLE]
            self._stamp = _graph(picture, [("crop", "w=min(iw,16):h=min(ih,16):x=0:y=0"), ("copy", ""), *deleted])
            self._has_profile = _passes(_graph(picture, [("sidedata", "mode=select:type=ICC_PROFILE")]), picture)
        self._stamp.vpush(picture)
        held: Any = self._stamp.vpull().side_data  # typed as a dictionary, iterated as a list
        found = {one.type.name: bytes(one) for one in held if one.type.name in NAMES}
        return found | {"ICC_PROFILE": b""} if self._has_profile else found


def side_data_of(picture: av.VideoFrame) -> dict[str, bytes]:
    """The side data of one picture; see `SideDataReader`."""
    return SideDataReader().read(picture)


def _graph(picture: av.VideoFrame, filters: Sequence[tuple[str, str]]) -> Graph:
    graph = Graph()
    graph.threads = 1
    entry = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 25)
    )
    nodes = [graph.add(name, arguments or None) for name, arguments in filters]
    graph.link_nodes(entry, *nodes, graph.add("buffersink")).configure()
    return graph


def _passes(graph: Graph, picture: av.VideoFrame) -> bool:
    graph.vpush(picture)
    try:
        graph.vpull()
    except av.error.BlockingIOError:  # it came nowhere
        return False
    return True
