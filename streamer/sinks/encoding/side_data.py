"""Side data of a video: 360 degree and stereo 3D layouts, HDR metadata, closed captions.

An output video is encoded again, so FFmpeg does not copy side data by itself. Side data of the whole video goes into
the container (`add_side_data`) and, for HDR10, into the coded stream (`encoder_options`). Side data of one frame goes
with the frame, if the encoder writes it. `SideDataWatch` reads the finished output to see whether it is there. Used by
the thread that owns the sink.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

from streamer.media.side_data import LIGHT, MASTERING, NAMES, SPHERICAL, STEREO, SideDataReader, side_data_of

# Matroska's StereoMode for FFmpeg's AVStereo3DType and its flag for swapped views (libavformat/matroska.c).
_STEREO_MODES = MappingProxyType({
    (1, 0): 1, (1, 1): 11, (2, 0): 3, (2, 1): 2, (4, 0): 5, (4, 1): 4, (6, 0): 7, (6, 1): 6, (7, 0): 9, (7, 1): 8,
    (3, 0): 13, (3, 1): 14,
})  # fmt: skip
_UNSPECIFIED = 8  # AV_STEREO3D_UNSPEC
_EQUIRECTANGULAR, _CUBEMAP, _TILE, _RECTILINEAR = 0, 1, 2, 4
_CODEC_IDS = MappingProxyType(
    {
        "h264": b"V_MPEG4/ISO/AVC",
        "hevc": b"V_MPEGH/ISO/HEVC",
        "av1": b"V_AV1",
        "vp9": b"V_VP9",
        "vp8": b"V_VP8",
        "mpeg4": b"V_MPEG4/ISO/ASP",
        "mpeg2video": b"V_MPEG2",
        "mpeg1video": b"V_MPEG1",
        "mjpeg": b"V_MJPEG",
        "ffv1": b"V_FFV1",
        "prores": b"V_PRORES",
    }
)
_PARAMETERS = MappingProxyType({
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
})  # fmt: skip
_NEAR = 1e-3  # Matroska has 32 bit floats, MP4 steps of 0.00002, AV1 of 1/65536


def add_side_data(stream: Any, side_data: Mapping[str, bytes]) -> None:
    """Add the side data of the whole video to an output's video stream.

    Call it before anything else is set, because it sets all parameters of the codec. PyAV copies side data only from
    one stream to another, so they come from the header of a Matroska file that is made here.
    """
    elements = list(_elements(side_data))
    codec_id = _CODEC_IDS.get(stream.codec_context.codec.canonical_name)
    if not elements or codec_id is None:
        return
    with av.open(io.BytesIO(_matroska(codec_id, elements)), format="matroska") as made:
        BitStreamFilterContext("null", in_stream=made.streams.video[0], out_stream=stream)


def encoder_options(encoder: str, side_data: Mapping[str, bytes], options: Mapping[str, str]) -> dict[str, str]:
    """The options of an encoder, with those that write the HDR10 metadata into the coded stream."""
    if encoder not in _PARAMETERS:
        return dict(options)
    option, display, light = _PARAMETERS[encoder]
    wanted = []
    mastering = _mastering(side_data)
    if mastering is not None and all(0 < value <= 1 for value in mastering[:8]) and 0 <= mastering[8] < mastering[9]:
        rx, ry, gx, gy, bx, by, wx, wy = (round(value * 50_000) for value in mastering[:8])
        low, high = (round(value * 10_000) for value in mastering[8:])
        wanted.append(f"{display}=G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({high},{low})")
    if LIGHT in side_data:
        most, average = struct.unpack("=2I", side_data[LIGHT][:8])
        wanted.append(f"{light}={most},{average}")
    if not wanted:
        return dict(options)
    # The last value has priority, so the user's comes last.
    return {**options, option: ":".join([*wanted, *([options[option]] if options.get(option) else [])])}


class SideDataWatch:
    """Remembers the first time of each kind of side data in the frames, and looks for it in the finished output."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[Fraction, bytes]] = {}
        self._reader = SideDataReader()

    def see(self, picture: av.VideoFrame, time: Fraction) -> None:
        """Note the side data of a picture, written at a time in seconds of the output."""
        for name, content in self._reader.read(picture).items():
            self._first.setdefault(name, (time, content))

    def lost(self, output: Any, kind: str) -> list[str]:
        """A line with the kinds that the frames of an output (`av.container.InputContainer`) do not have; or none."""
        video = output.streams.video[0]
        lost = []
        for time in sorted({time for time, _ in self._first.values()}):
            try:
                found = side_data_of(_frame_at(output, video, time))
            except (av.error.FFmpegError, IndexError):
                found = {}
            for name, (first, content) in self._first.items():
                if first == time and not (name in found and _kept(kind, name, content, found[name])):
                    lost.append(NAMES[name])
        names = ", ".join(dict.fromkeys(lost))
        return [f"{kind} with {video.codec_context.codec.canonical_name} does not keep the {names}"] if lost else []


def _frame_at(output: Any, video: Any, time: Fraction) -> av.VideoFrame:
    output.seek(max(int(time / video.time_base), 0), stream=video)
    frame = None
    for frame in output.decode(video):
        if frame.pts is not None and frame.pts * frame.time_base >= time - video.time_base:
            break
    if frame is None:
        raise IndexError("no frame")
    assert isinstance(frame, av.VideoFrame)
    return frame


def _mastering(side_data: Mapping[str, bytes]) -> list[float] | None:
    """x and y of red, green, blue and white, lowest and highest luminance; None if one is missing."""
    if MASTERING not in side_data:
        return None
    values = struct.unpack("=20i2i", side_data[MASTERING][:88])  # AVMasteringDisplayMetadata
    if not all(values[20:]):
        return None
    return [values[2 * k] / (values[2 * k + 1] or 1) for k in range(10)]


def _kept(kind: str, name: str, before: bytes, after: bytes) -> bool:
    """Whether side data is equal, as far as containers can store it."""
    if name == MASTERING:
        one, other = _mastering({name: before}), _mastering({name: after})
        if one is None or other is None:
            return before == after
        return all(abs(a - b) <= _NEAR * max(1, abs(a)) for a, b in zip(one, other, strict=True))
    if name == STEREO:
        # Type and flags. FFmpeg 8.1 writes the box st3d, but reads another one after it that has no type.
        type_and_flags = struct.unpack("=2i", before[:8])
        overwritten = kind == "mp4" and type_and_flags[1] == 0 and after[:8] == struct.pack("=2i", _UNSPECIFIED, 0)
        return before[:8] == after[:8] or overwritten
    if name == SPHERICAL:
        # Kind and bounds. FFmpeg 8.1 writes the angles of a view into MP4 too, but reads zeros in the same way.
        return before[:4] + before[16:36] == after[:4] + after[16:36]
    return before == after


def _elements(side_data: Mapping[str, bytes]) -> Iterator[bytes]:
    """The children of Matroska's element Video for the side data (RFC 9559, 5.1.4.1.28)."""
    if STEREO in side_data:
        kind, flags = struct.unpack("=2i", side_data[STEREO][:8])
        if (kind, flags & 1) in _STEREO_MODES:
            yield _element("53B8", _unsigned(_STEREO_MODES[kind, flags & 1]))
    if SPHERICAL in side_data:
        yield from _projection(side_data[SPHERICAL])
    colour = []
    if LIGHT in side_data:
        most, average = struct.unpack("=2I", side_data[LIGHT][:8])
        colour += [_element("55BC", _unsigned(most)), _element("55BD", _unsigned(average))]
    mastering = _mastering(side_data)
    if mastering is not None:
        low, high = mastering.pop(8), mastering.pop()
        named = zip("123456789A", [*mastering, high, low], strict=True)
        colour.append(_element("55D0", *(_element(f"55D{digit}", struct.pack(">d", value)) for digit, value in named)))
    if colour:
        yield _element("55B0", *colour)


def _projection(content: bytes) -> Iterator[bytes]:
    """From FFmpeg's AVSphericalMapping; Matroska has no value for fisheye and half spheres."""
    kind, yaw, pitch, roll, left, top, right, bottom, padding = struct.unpack("=4i5I", content[:36])
    private = {
        _EQUIRECTANGULAR: (1, struct.pack(">5I", 0, 0, 0, 0, 0)),
        _TILE: (1, struct.pack(">5I", 0, top, bottom, left, right)),
        _CUBEMAP: (2, struct.pack(">3I", 0, 0, padding)),
        _RECTILINEAR: (0, b""),
    }
    if kind in private:
        number, box = private[kind]
        turned = [
            _element(f"767{3 + k}", struct.pack(">d", angle / 65536)) for k, angle in enumerate((yaw, pitch, roll))
        ]
        yield _element("7670", _element("7671", _unsigned(number)), _element("7672", box), *turned)


def _matroska(codec_id: bytes, video: list[bytes]) -> bytes:
    """A file with one video track and an empty packet."""
    size = _element("B0", _unsigned(16)), _element("BA", _unsigned(16))
    entry = [_element(name, b"\1") for name in ("D7", "73C5", "83")]
    tracks = _element("1654AE6B", _element("AE", *entry, _element("86", codec_id), _element("E0", *size, *video)))
    cluster = _element("1F43B675", _element("E7", b"\0"), _element("A3", b"\x81\0\0\x80\0"))
    header = _element("1A45DFA3", _element("4282", b"matroska"))
    return header + _element(
        "18538067", _element("1549A966", _element("2AD7B1", _unsigned(1_000_000))), tracks, cluster
    )


def _element(name: str, *content: bytes) -> bytes:
    data = b"".join(content)
    return bytes.fromhex(name) + (1 << 56 | len(data)).to_bytes(8, "big") + data


def _unsigned(value: int) -> bytes:
    return value.to_bytes(4, "big")
