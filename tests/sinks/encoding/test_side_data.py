"""Side data: 360 degree and stereo 3D layouts, HDR10, captions are kept, or their loss is noted."""

from __future__ import annotations

import gc
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.media.side_data import LIGHT, MASTERING, SPHERICAL, STEREO, side_data_of
from tests.clips import Colour, picture, write_picture, write_video
from tests.sinks.scenes import annotate, decoded

FAST = {"preset": "ultrafast"}
FRAMES = 5
HDR = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
TELLS_OF_CAPTIONS = b"GA94\x03"
CAPTION = b"\xfc\x94\x2c\xfc\xc8\xe9"  # CEA-608: erase the screen, "Hi"
NOT_KEPT = "does not keep the"


def element(name: str, *content: bytes) -> bytes:
    """An EBML element (RFC 8794)."""
    data = b"".join(content)
    return bytes.fromhex(name) + (1 << 56 | len(data)).to_bytes(8, "big") + data


def write_matroska(path: Path, *video: bytes) -> Path:
    """Five frames in a Matroska file (RFC 9559) with these elements in Video of its track, as from a camera."""
    coder: Any = av.CodecContext.create("mjpeg", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    blocks = []
    for number in range(FRAMES):
        frame = av.VideoFrame.from_ndarray(picture(number, (64, 48)), "rgb24").reformat(format="yuvj420p")
        (packet,) = coder.encode(frame)
        blocks.append(element("A3", b"\x81", struct.pack(">hB", number * 40, 0x80), bytes(packet)))
    size = element("B0", bytes([64])), element("BA", bytes([48]))
    numbers = [element(name, b"\1") for name in ("D7", "73C5", "83")]
    tracks = element("1654AE6B", element("AE", *numbers, element("86", b"V_MJPEG"), element("E0", *size, *video)))
    info = element("1549A966", element("2AD7B1", (1_000_000).to_bytes(3, "big")))
    head = element("1A45DFA3", element("4282", b"matroska"))
    path.write_bytes(head + element("18538067", info, tracks, element("1F43B675", element("E7", b"\0"), *blocks)))
    return path


def projection(kind: int, private: bytes, yaw: float = 0) -> bytes:
    turned = element("7673", struct.pack(">d", yaw))
    return element("7670", element("7671", bytes([kind])), element("7672", private), turned)


def side_data(path: Path) -> dict[str, bytes]:
    """The side data of the first frame."""
    return side_data_of(decoded(path)[0])


def noted(sink: Any) -> list[str]:
    return [note for note in sink.notes if NOT_KEPT in note]


@pytest.mark.parametrize(
    ("output", "codec"),
    [(".mp4", "h264"), (".mov", "h264"), (".mp4", "hevc"), (".mkv", "h264"), (".mkv", "ffv1")],
)
def test_360_degree_and_stereo_layouts_are_kept(tmp_path: Path, output: str, codec: str) -> None:
    elements = element("53B8", b"\3"), projection(1, bytes(20), yaw=30)  # top and bottom, equirectangular
    clip, target = write_matroska(tmp_path / "in.mkv", *elements), tmp_path / f"out{output}"
    _, sink = annotate(clip, target, codec=codec)
    given, kept = side_data(clip), side_data(target)
    assert struct.unpack("=2i", given[STEREO][:8]) == (2, 0)
    assert struct.unpack("=2i", given[SPHERICAL][:8]) == (0, 30 << 16)
    assert kept[SPHERICAL][:4] == given[SPHERICAL][:4]
    assert noted(sink) == []
    if output != ".mp4":
        assert kept[STEREO][:8] == given[STEREO][:8]
    if output == ".mkv":
        assert kept[SPHERICAL] == given[SPHERICAL]
    if output == ".mp4":
        content = target.read_bytes()
        assert content[content.index(b"st3d") + 8] == 1  # top and bottom
        assert content[content.index(b"prhd") + 8 :][:4] == (30 << 16).to_bytes(4, "big")  # FFmpeg reads 0 there
        assert content.index(b"sv3d") < content.index(b"prhd") < content.index(b"equi")


@pytest.mark.parametrize(
    ("elements", "name"),
    [
        ([element("53B8", b"\1")], STEREO),
        ([projection(2, bytes(8) + b"\0\0\0\4")], SPHERICAL),
        ([projection(1, struct.pack(">5I", 0, 1 << 28, 1 << 29, 1 << 30, 1 << 27))], SPHERICAL),
    ],
    ids=["side by side", "cube map", "part of a sphere"],
)
def test_other_layouts_are_kept_too(tmp_path: Path, elements: list[bytes], name: str) -> None:
    clip = write_matroska(tmp_path / "in.mkv", *elements)
    for suffix in (".mp4", ".mkv"):
        _, sink = annotate(clip, tmp_path / f"out{suffix}", options=FAST)
        assert side_data(tmp_path / f"out{suffix}")[name][:36] == side_data(clip)[name][:36]
        assert noted(sink) == []


def test_right_eye_first_views_are_kept_in_matroska_only(tmp_path: Path) -> None:
    clip = write_matroska(tmp_path / "in.mkv", element("53B8", b"\x0b"))
    _, sink = annotate(clip, tmp_path / "out.mkv", options=FAST)
    assert struct.unpack("=2i", side_data(tmp_path / "out.mkv")[STEREO][:8]) == (1, 1)
    assert noted(sink) == []
    _, sink = annotate(clip, tmp_path / "out.mp4", options=FAST)
    assert noted(sink) == ["mp4 with h264 does not keep the stereo 3D layout"]


def test_quicktime_keeps_the_projection_but_not_how_views_are_packed(tmp_path: Path) -> None:
    clip = write_matroska(tmp_path / "in.mkv", element("53B8", b"\3"), projection(1, bytes(20)))
    _, sink = annotate(clip, tmp_path / "out.mov", codec="prores")
    assert side_data(tmp_path / "out.mov")[SPHERICAL] == side_data(clip)[SPHERICAL]
    assert noted(sink) == ["mov with prores does not keep the stereo 3D layout"]


def test_a_layout_that_the_container_cannot_hold_is_noted(tmp_path: Path) -> None:
    clip = write_matroska(tmp_path / "in.mkv", element("53B8", b"\3"), projection(1, bytes(20)))
    _, sink = annotate(clip, tmp_path / "out.avi")
    assert not side_data(tmp_path / "out.avi")
    assert noted(sink) == ["avi with mpeg4 does not keep the 360 degree projection, stereo 3D layout"]


def write_hdr(path: Path) -> Path:
    """HDR10: PQ in BT.2020, with mastering display and content light level in the coded stream."""
    options = {"x265-params": f"log-level=none:{HDR}"}
    colour = Colour(9, 16, 9, 1)
    return write_video(
        path, codec="libx265", pix_fmt="yuv420p10le", size=(64, 48), frames=FRAMES, options=options, colour=colour
    )


@pytest.mark.parametrize(
    ("output", "codec"),
    [
        (".mp4", "hevc"),
        (".mp4", "h264"),
        (".mov", "prores"),
        (".mkv", "hevc"),
        (".webm", "av1"),
        (".webm", "vp9"),
        (".ts", "hevc"),
        (".ts", "h264"),
    ],
)
def test_hdr10_metadata_is_kept(tmp_path: Path, output: str, codec: str) -> None:
    clip, target = write_hdr(tmp_path / "in.mp4"), tmp_path / f"out{output}"
    _, sink = annotate(clip, target, codec=codec)
    kept = side_data(target)
    assert struct.unpack("=2I", kept[LIGHT]) == (1000, 400)
    values = struct.unpack("=20i2i", kept[MASTERING])
    mastering = [values[2 * k] / values[2 * k + 1] for k in range(10)]
    wanted = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000]
    assert mastering == pytest.approx(wanted, rel=1e-3, abs=2e-4)
    assert noted(sink) == []


def test_the_coded_stream_has_hdr10_metadata(tmp_path: Path) -> None:
    clip = write_hdr(tmp_path / "in.mp4")
    for codec in ("h264", "hevc"):
        target = tmp_path / f"{codec}.mp4"
        annotate(clip, target, codec=codec, options={f"x26{4 if codec == 'h264' else 5}-params": "keyint=3"})
        with av.open(str(target)) as container:
            raw: Any = av.CodecContext.create(codec, "r")
            stream = container.streams.video[0]
            raw.extradata = stream.codec_context.extradata
            frames = [frame for packet in container.demux(stream) for frame in raw.decode(packet)]
        assert {MASTERING, LIGHT} <= side_data_of(frames[0]).keys()


def test_hdr10_metadata_that_is_lost_is_noted(tmp_path: Path) -> None:
    clip = write_hdr(tmp_path / "in.mp4")
    _, sink = annotate(clip, tmp_path / "out.avi")
    names = "HDR10 mastering display, HDR10 content light level"
    assert noted(sink) == [f"avi with mpeg4 does not keep the {names}"]


def write_user_data(path: Path, user_data: bytes, *, at: int = 0) -> Path:
    """H.264 in a transport stream with registered user data (ITU-T T.35, as ATSC has it) from frame `at` on."""
    coder: Any = av.CodecContext.create("libx264", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = 64, 48, "yuv420p", Fraction(1, 25)
    coder.options = {**FAST, "tune": "zerolatency"}
    content = b"\xb5\x00\x31" + user_data
    message = b"\0\0\0\1\x06\x04" + bytes([len(content)]) + content + b"\x80"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_mux_stream("h264", rate=25, width=64, height=48)
        stream.time_base = Fraction(1, 25)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number, (64, 48)), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            (coded,) = coder.encode(frame)
            packet: Any = av.Packet((message if number >= at else b"") + bytes(coded))
            packet.pts, packet.dts, packet.time_base = coded.pts, coded.dts, Fraction(1, 25)
            packet.is_keyframe, packet.stream = coded.is_keyframe, stream
            output.mux(packet)
    return path


def captions(path: Path) -> list[bytes]:
    return [side_data_of(frame).get("A53_CC", b"") for frame in decoded(path)]


@pytest.mark.parametrize(
    ("output", "codec"), [(".mp4", "h264"), (".mp4", "hevc"), (".mkv", "mpeg2video"), (".mov", "h264")]
)
def test_closed_captions_are_kept(tmp_path: Path, output: str, codec: str) -> None:
    clip = write_user_data(tmp_path / "in.ts", TELLS_OF_CAPTIONS + b"\x42\xff" + CAPTION + b"\xff")
    assert captions(clip) == [CAPTION] * FRAMES
    _, sink = annotate(clip, tmp_path / f"out{output}", codec=codec)
    assert captions(tmp_path / f"out{output}") == [CAPTION] * FRAMES
    assert noted(sink) == []


@pytest.mark.parametrize(("output", "codec"), [(".webm", "vp8"), (".webm", "av1"), (".avi", "mpeg4")])
def test_closed_captions_that_the_encoder_drops_are_noted(tmp_path: Path, output: str, codec: str) -> None:
    clip = write_user_data(tmp_path / "in.ts", TELLS_OF_CAPTIONS + b"\x42\xff" + CAPTION + b"\xff", at=3)
    _, sink = annotate(clip, tmp_path / f"out{output}", codec=codec)
    assert not any(captions(tmp_path / f"out{output}"))
    assert noted(sink) == [f"{output[1:]} with {codec} does not keep the closed captions (A/53)"]


def hdr10_plus(version: int) -> bytes:
    """Registered user data of SMPTE ST 2094-40: one window, without curves."""
    fields = [(version, 8), (1, 2), (400, 27), (0, 1), *[(9000, 17)] * 3, (5000, 17), (0, 4), (10, 10), (0, 3)]
    bits = "".join(f"{value:0{width}b}" for value, width in fields)
    bits += "0" * (-len(bits) % 8)
    return b"\xb5\x00\x3c\x00\x01\x04" + int(bits, 2).to_bytes(len(bits) // 8, "big")


def escaped(payload: bytes) -> bytes:
    """Data with emulation prevention bytes (ITU-T H.265, 7.4.2)."""
    made = bytearray()
    for byte in payload:
        if byte <= 3 and made[-2:] == b"\0\0":
            made.append(3)
        made.append(byte)
    return bytes(made)


def write_hdr10_plus(path: Path) -> Path:
    coder: Any = av.CodecContext.create("libx265", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = 64, 48, "yuv420p10le", Fraction(1, 25)
    coder.options = {**FAST, "tune": "zerolatency", "x265-params": "log-level=none:repeat-headers=1"}
    content = hdr10_plus(1)
    message = b"\0\0\0\1\x4e\x01" + escaped(b"\x04" + bytes([len(content)]) + content) + b"\x80"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_mux_stream("hevc", rate=25, width=64, height=48)
        stream.time_base = Fraction(1, 25)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number, (64, 48)), "rgb24").reformat(format="yuv420p10le")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for coded in coder.encode(frame):
                packet: Any = av.Packet(message + bytes(coded))
                packet.pts, packet.dts, packet.time_base = coded.pts, coded.dts, Fraction(1, 25)
                packet.is_keyframe, packet.stream = coded.is_keyframe, stream
                output.mux(packet)
    return path


@pytest.mark.parametrize(("output", "codec"), [(".mp4", "h264"), (".mkv", "hevc"), (".webm", "av1"), (".webm", "vp9")])
def test_hdr10_plus_is_kept_or_noted(tmp_path: Path, output: str, codec: str) -> None:
    clip, target = write_hdr10_plus(tmp_path / "in.ts"), tmp_path / f"out{output}"
    assert "DYNAMIC_HDR_PLUS" in side_data(clip)
    _, sink = annotate(clip, target, codec=codec)
    kept = side_data(target).get("DYNAMIC_HDR_PLUS") == side_data(clip)["DYNAMIC_HDR_PLUS"]
    name = {".mkv": "matroska"}.get(output, output[1:])
    assert noted(sink) == ([] if kept else [f"{name} with {codec} does not keep the HDR10+ metadata"])


def test_an_active_format_description_that_is_lost_is_noted(tmp_path: Path) -> None:
    clip = write_user_data(tmp_path / "in.ts", b"DTG1\x41\xf9")
    assert "AFD" in side_data(clip)
    _, sink = annotate(clip, tmp_path / "out.mp4", options=FAST)
    assert noted(sink) == ["mp4 with h264 does not keep the active format description (AFD)"]


def test_an_icc_profile_that_is_lost_is_noted(tmp_path: Path) -> None:
    plain, clip = write_picture(tmp_path / "plain.png"), tmp_path / "in.png"
    content = b"iCCP" + b"p\0\0" + zlib.compress(bytes(128))
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    header_end = 8 + 25
    clip.write_bytes(plain.read_bytes()[:header_end] + chunk + plain.read_bytes()[header_end:])
    assert "ICC_PROFILE" in side_data(clip)
    _, sink = annotate(clip, tmp_path / "out.mp4", options=FAST)
    assert noted(sink) == ["mp4 with h264 does not keep the ICC profile"]
    gc.collect()  # where the process crashed
