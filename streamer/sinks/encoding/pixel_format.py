"""Selects pixel format, matrix and range of an output, and notes the differences from the input.

Pure functions, used by the thread that opens an encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import av
from av.codec.codec import PixFmtLoss, find_best_pix_fmt_of_list
from av.video.reformatter import ColorRange

from streamer.errors import SinkUnavailable
from streamer.interfaces import StreamInfo
from streamer.values import colour

AUTO, SOURCE, PLAYERS = "auto", "source", "players"
"""Values of the setting that are no format. `auto`: 8 bit 4:2:0, which players show, for `StreamInfo.jpeg_like` frames,
and the input's format for others. `source`: the input's format. `players`: 8 bit 4:2:0."""

# 8 bit 4:2:0; hardware encoders have nv12.
_FOR_PLAYERS = ("yuv420p", "nv12")
_ARCHIVES = ("matroska", "nut")
"""Containers that browsers, phones and QuickTime do not open; their frames are not converted for players."""
_EIGHT_BIT = frozenset({"yuv420p", "yuvj420p", "nv12", "nv21", "gray"})
_PLAYED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "h264": _EIGHT_BIT,
        "hevc": _EIGHT_BIT | {"yuv420p10le", "p010le", "gray10le"},
        "av1": _EIGHT_BIT | {"yuv420p10le", "p010le", "gray10le"},
        "vp9": _EIGHT_BIT | {"yuva420p"},
        "vp8": _EIGHT_BIT | {"yuva420p"},
        "mpeg4": _EIGHT_BIT,
    }
)
"""Pixel formats of these codecs that browsers and phones show: profiles High, Main and Main 10, Main, 0."""

# Measured by writing full-range BT.601 and reading it back, each codec in each container (FFmpeg 8.1):
# `test_colours_are_right_in_every_codec_and_container`.
_STORES_RANGE = frozenset({"h264", "hevc", "av1", "vp9", "mjpeg"})
_STORES_MATRIX = frozenset({"h264", "hevc", "av1", "vp9", "mpeg2video", "prores"})
_READ_AS_LIMITED = frozenset({"vp8", "mpeg1video", "mpeg2video", "prores"})
"""Their decoders report limited range whatever the container says."""
_READ_AS_BT601 = frozenset({"vp8", "mjpeg"})

# H.273 codes of the matrices that `streamer.values.colour` assumes for untagged frames.
_CODES: Mapping[str, int] = MappingProxyType({"bt601": 6, "bt709": 1})
_BT470BG = 5

_EXPERIMENTAL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ffv1": frozenset({"yaf16le", "grayf16le", "gbrpf16le", "gbrpf32le"}),
        "libvpx": frozenset({"yuva420p"}),
        "libvpx-vp9": frozenset({"yuva422p", "yuva444p", "gbrap"}),
        "libx265": frozenset({"yuva420p", "yuva420p10le"}),
    }
)
"""Formats that encoders list, but need further options to open with (FFmpeg 8.1)."""
_UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class CodedFormat:
    """How frames are encoded.

    Attributes:
        name: the pixel format.
        colour: as in `StreamInfo.colour`: primaries, transfer, matrix (H.273) and FFmpeg's range code.
        notes: differences from the input, one line each.
    """

    name: str
    colour: tuple[int, int, int, int]
    notes: tuple[str, ...] = ()


def coded_format(encoder: str, codec: str, container: str, info: StreamInfo, wanted: str = AUTO) -> CodedFormat:
    """The format and colour of the frames for an encoder.

    Args:
        encoder: FFmpeg's name, such as `libx264`.
        codec: FFmpeg's name, such as `h264`.
        container: FFmpeg's name of the muxer.
        info: of the input.
        wanted: `auto`, `source`, `players` or a pixel format.

    Raises:
        SinkUnavailable: the encoder does not have the format, or no format near that of the input.
    """
    listed = [one.name for one in av.Codec(encoder, "w").video_formats or ()]
    offered = [name for name in listed if name not in _EXPERIMENTAL.get(encoder, ())]
    played = _PLAYED.get(codec, frozenset()) if container not in _ARCHIVES else frozenset()
    limited = bool(played) and info.jpeg_like and wanted != SOURCE
    plain = next((name for name in _FOR_PLAYERS if name in offered), None)
    notes: list[str]
    if plain is not None and (wanted == PLAYERS or (wanted == AUTO and limited)):
        name, notes = _for_players(info, plain, offered, limited=limited)
    elif wanted in (AUTO, SOURCE, PLAYERS):
        name, notes = _nearest(encoder, offered, av.VideoFormat(info.pixel_format), as_source=wanted == SOURCE)
        if wanted == AUTO and played and name not in played:
            notes.append(
                f"many browsers and phones do not show {codec} in {name}; set output.pixel_format=yuv420p for them"
            )
    elif listed and wanted not in listed:
        raise SinkUnavailable(f"{encoder} has no pixel format {wanted}; it has {', '.join(listed)}")
    else:
        name, notes = wanted, []
    tags = output_colour(info, name, limited=limited)
    if wanted != SOURCE:
        tags, changes = _storable(tags, codec, container, av.VideoFormat(name), info)
        if changes:
            notes.append(f"{codec} in {container} cannot store {' and '.join(changes)}: colours are converted")
    return CodedFormat(name, tags, tuple(notes))


def output_colour(info: StreamInfo, pixel_format: str, *, limited: bool) -> tuple[int, int, int, int]:
    """Primaries, transfer, matrix (H.273) and FFmpeg's range code of frames in a pixel format.

    They are the input's, except where RGB or grey becomes YUV or the other way round.

    Args:
        info: of the input.
        pixel_format: the encoder's.
        limited: they are to become limited range, if they are YUV.
    """
    primaries, transfer, matrix, code = info.colour
    given, made = av.VideoFormat(info.pixel_format), av.VideoFormat(pixel_format)
    if colour.is_rgb(made):
        return primaries, transfer, 0, int(ColorRange.JPEG)
    full = colour.full_range_as_tagged(given, code)
    if colour.is_grey(made):
        matrix = _UNKNOWN
        full = full or not colour.is_grey(given)  # swscale makes full range grey only
    elif limited or colour.is_rgb(given) or colour.is_grey(given):
        full = False
    full = full or pixel_format.startswith("yuvj")
    if colour.is_rgb(given):
        matrix = _CODES[_assumed(info)]
    if full:
        code = int(ColorRange.JPEG)
    elif colour.full_range_as_tagged(given, code):
        code = int(ColorRange.MPEG)
    return primaries, transfer, matrix, code


def _for_players(info: StreamInfo, plain: str, offered: Sequence[str], *, limited: bool) -> tuple[str, list[str]]:
    """The input's format if it is 8 bit 4:2:0, else the encoder's `plain` format; and a note on the change."""
    native = av.VideoFormat(info.pixel_format)
    full = colour.full_range_as_tagged(native, info.colour[3])
    fits = native.name in _EIGHT_BIT and not colour.is_grey(native)
    name = native.name if fits and native.name in offered else plain
    if limited:
        name = name.replace("yuvj", "yuv")
    tags = output_colour(info, name, limited=limited)
    narrows = full and not colour.full_range_as_tagged(av.VideoFormat(name), tags[3])
    if fits and not narrows:
        return name, []
    was = f"{native.name}{' in full range' if full and not colour.is_rgb(native) else ''}"
    is_now = f"{name}{' in limited range' if narrows else ''}"
    return name, [
        f"{was} is encoded as {is_now}, which browsers, phones and QuickTime show; "
        "set output.pixel_format=source for what is nearest to the input"
    ]


def _nearest(encoder: str, offered: Sequence[str], native: av.VideoFormat, *, as_source: bool) -> tuple[str, list[str]]:
    """The encoder's pixel format that is nearest to the input's, and a note on the loss."""
    name = native.name
    if name in offered or not offered:
        return name, []
    if name.startswith("yuvj") and name.replace("yuvj", "yuv") in offered:
        return name.replace("yuvj", "yuv"), []  # the same samples, tagged as full range
    alike = _alike(offered, native)
    if colour.is_rgb(native) and not alike and "yuv420p" in offered and not as_source:
        # The nearest format is 4:4:4, which browsers and hardware decoders do not show.
        note = f"{encoder} has no {name}: encoded as yuv420p; set output.pixel_format=yuv444p for full chroma"
        return "yuv420p", [note]
    kind = "rgb48le" if name.startswith("xyz") else name  # FFmpeg selects YUV for XYZ
    best, loss = find_best_pix_fmt_of_list(alike or offered, kind, colour.has_alpha(native))
    if best is None:
        raise SinkUnavailable(f"{encoder} takes no frames of format {name}; choose another output.codec")
    lost = [str(flag.name).lower() for flag in PixFmtLoss if flag & loss]
    return best.name, [f"{encoder} has no {name}: encoded as {best.name} (lost: {', '.join(lost)})"] if lost else []


def _alike(offered: Sequence[str], native: av.VideoFormat) -> list[str]:
    """The offered formats of the same kind: RGB or not, and for grey those with the least chroma."""
    formats = [av.VideoFormat(name) for name in offered]
    alike = [one for one in formats if colour.is_rgb(one) == colour.is_rgb(native)]
    if alike and not colour.is_grey(native) and all(colour.is_grey(one) for one in alike):
        alike = [one for one in formats if not colour.is_grey(one)]  # rather RGB for YUV, or the reverse, than grey
    if colour.is_grey(native):
        alike = [one for one in alike if colour.is_grey(one) or one.chroma_height(16) < 16] or alike
    return [one.name for one in alike]


def _storable(
    given: tuple[int, int, int, int], codec: str, container: str, made: av.VideoFormat, info: StreamInfo
) -> tuple[tuple[int, int, int, int], list[str]]:
    """The colour that readers see: a matrix or range that the output cannot store becomes what readers assume."""
    primaries, transfer, matrix, code = given
    if colour.is_rgb(made) or colour.is_grey(made):
        return given, []
    changes = []
    by_container = container == "matroska"
    means = colour.matrix_as_tagged(made, matrix, info.width, info.height)
    assumed = "bt601" if codec in _READ_AS_BT601 else _assumed(info)
    if codec in _READ_AS_BT601 or not (by_container or codec in _STORES_MATRIX):
        if means != assumed:
            changes.append(f"the matrix {means}")
        matrix = _BT470BG if codec in _READ_AS_BT601 else _UNKNOWN
    stored = codec in _STORES_RANGE or (by_container and codec not in _READ_AS_LIMITED)
    if not stored and colour.full_range_as_tagged(made, code):
        changes.append("full range")
        code = int(ColorRange.MPEG)
    return (primaries, transfer, matrix, code), changes


def _assumed(info: StreamInfo) -> str:
    """The matrix of untagged frames of that size."""
    return colour.matrix_as_tagged(av.VideoFormat("yuv420p"), _UNKNOWN, info.width, info.height)
