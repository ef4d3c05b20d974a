"""FFmpeg's names of the colour codes of ITU-T H.273, and of its own range and field order codes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

UNKNOWN = "unknown"

# libavutil/pixdesc.c, av_color_primaries_name().
_PRIMARIES: Mapping[int, str] = MappingProxyType(
    {
        1: "bt709",
        4: "bt470m",
        5: "bt470bg",
        6: "smpte170m",
        7: "smpte240m",
        8: "film",
        9: "bt2020",
        10: "smpte428",
        11: "smpte431",
        12: "smpte432",
        22: "ebu3213",
    }
)
# av_color_transfer_name().
_TRANSFERS: Mapping[int, str] = MappingProxyType(
    {
        1: "bt709",
        4: "bt470m",
        5: "bt470bg",
        6: "smpte170m",
        7: "smpte240m",
        8: "linear",
        9: "log100",
        10: "log316",
        11: "iec61966-2-4",
        12: "bt1361e",
        13: "iec61966-2-1",
        14: "bt2020-10",
        15: "bt2020-12",
        16: "smpte2084",
        17: "smpte428",
        18: "arib-std-b67",
    }
)
# av_color_space_name().
_MATRICES: Mapping[int, str] = MappingProxyType(
    {
        0: "gbr",
        1: "bt709",
        4: "fcc",
        5: "bt470bg",
        6: "smpte170m",
        7: "smpte240m",
        8: "ycgco",
        9: "bt2020nc",
        10: "bt2020c",
        11: "smpte2085",
        12: "chroma-derived-nc",
        13: "chroma-derived-c",
        14: "ictcp",
    }
)
# AVColorRange.
_RANGES: Mapping[int, str] = MappingProxyType({1: "limited", 2: "full"})
# AVFieldOrder; in the last two, the field that is coded first is displayed last.
FIELD_ORDERS: Mapping[int, str] = MappingProxyType(
    {
        1: "progressive",
        2: "interlaced, top field first",
        3: "interlaced, bottom field first",
        4: "interlaced, bottom field first",
        5: "interlaced, top field first",
    }
)


def colour_names(primaries: int, transfer: int, matrix: int, code: int) -> dict[str, str]:
    """FFmpeg's names of the colour codes of a stream, by their fields in `VideoFacts`; `code` is that of the range."""
    tables = {"primaries": _PRIMARIES, "transfer": _TRANSFERS, "matrix": _MATRICES, "range": _RANGES}
    codes = (primaries, transfer, matrix, code)
    return {name: table.get(int(code), UNKNOWN) for (name, table), code in zip(tables.items(), codes, strict=True)}
