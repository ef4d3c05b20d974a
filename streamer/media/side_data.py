"""Side data of decoded frames: 360 degree and stereo 3D layouts, HDR metadata, closed captions.

Used by the thread that reads a source and by those that write sinks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import av

from streamer.media.filters import SideDataCopy, filter_graph, shape_of

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
"""FFmpeg's and readable names of the side data whose loss matters to users."""
LAYOUTS = frozenset({SPHERICAL, STEREO})
"""The side data that locate the views within a frame."""


class SideDataReader:
    """Reads the side data in `NAMES`. Of an ICC profile it only reports whether the first frame of a shape has one."""

    def __init__(self) -> None:
        self._copy = SideDataCopy()
        self._has_profile = False

    def read(self, frame: av.VideoFrame) -> dict[str, bytes]:
        """FFmpeg's names and structures of the side data of a decoded frame."""
        if self._copy.shape != shape_of(frame):
            self._has_profile = _has_profile(frame)
        found = {one.type.name: bytes(one) for one in self._copy.side_data(frame) if one.type.name in NAMES}
        return found | {"ICC_PROFILE": b""} if self._has_profile else found


def side_data_of(frame: av.VideoFrame) -> dict[str, bytes]:
    """The side data of one frame; see `SideDataReader`."""
    return SideDataReader().read(frame)


def _has_profile(frame: av.VideoFrame) -> bool:
    graph = filter_graph(frame, ("sidedata", "mode=select:type=ICC_PROFILE"))
    graph.vpush(frame)
    try:
        graph.vpull()
    except av.error.BlockingIOError:  # the filter dropped the frame
        return False
    return True
