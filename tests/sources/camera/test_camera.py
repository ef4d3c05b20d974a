"""Cameras without a device: names, the choice of a mode, the kernel's structures, conversion to frames, clear errors.

The tests that need a device are in `tests/webcam`.
"""

from __future__ import annotations

import ctypes
import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError, SourceUnavailable
from streamer.sources.camera import devices, v4l2_abi
from streamer.sources.camera.camera import CameraConnector, is_camera
from streamer.sources.camera.conversion import INCOMPLETE, BadFrameError, JpegFrameReader, RawFrameReader
from streamer.sources.camera.devices import Camera, camera_lines, find_cameras
from streamer.sources.camera.modes import (
    JPEG_FORMATS,
    RAW_FORMATS,
    SMOOTH_FPS,
    Choice,
    Mode,
    NotOfferedError,
    choose_mode,
    same_rate,
)
from streamer.sources.camera.v4l2_modes import rates_in_range, sizes_in_range
from tests import clips

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="V4L2 exists on Linux only")

RATES = st.sampled_from([Fraction(5), Fraction(10), Fraction(15), Fraction(30000, 1001), Fraction(30), Fraction(60)])
MODES = st.lists(
    st.builds(
        Mode,
        st.sampled_from([*RAW_FORMATS, *JPEG_FORMATS, "H264"]),
        st.sampled_from([160, 320, 640, 1280, 1920]),
        st.sampled_from([120, 240, 480, 720, 1080]),
        st.lists(RATES, max_size=4, unique=True).map(tuple),
    ),
    max_size=12,
)
LAPTOP = (
    *(Mode("YUYV", width, height, rates) for width, height, rates in (
        (640, 480, (Fraction(30), Fraction(15))),
        (1280, 720, (Fraction(10),)),
    )),
    *(Mode("MJPG", width, height, (Fraction(30),)) for width, height in ((640, 480), (1280, 720), (1920, 1080))),
)  # fmt: skip
"""The modes of a common USB 2 webcam."""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0", "camera:0"),
        ("12", "camera:12"),
        ("camera:3", "camera:3"),
        ("/dev/video1", "/dev/video1"),
        ("camera:/dev/video1", "/dev/video1"),
        ("/dev/v4l/by-id/usb-046d_HD-video-index0", "/dev/v4l/by-id/usb-046d_HD-video-index0"),
        ("camera:/tmp/link", "/tmp/link"),
    ],
)
def test_names_of_cameras(text: str, name: str) -> None:
    assert is_camera(text)
    assert CameraConnector(text).name == name


@pytest.mark.parametrize(
    "text", ["", "clip.mp4", "-1", "camera:", "camera:front", "/dev/video", "/dev/null", "rtsp://0"]
)
def test_other_texts_are_not_camera_names(text: str) -> None:
    assert not is_camera(text)
    with pytest.raises(SourceUnavailable, match="camera:0"):
        CameraConnector(text)


@pytest.mark.parametrize(
    ("size", "fps"), [((0, 480), None), ((640, -1), None), (None, 0), (None, "fast"), (None, "1/0")]
)
def test_sizes_and_rates_must_be_positive(size: tuple[int, int] | None, fps: str | None) -> None:
    with pytest.raises(ConfigError):
        CameraConnector(0, size=size, fps=fps)


@linux_only
def test_a_missing_camera_lists_the_present_ones() -> None:
    connector = CameraConnector("/dev/video99")
    assert not connector.is_reachable()
    with pytest.raises(SourceUnavailable, match=r"/dev/video99: there is no /dev/video99; (cameras here|no camera)"):
        connector.connect(lambda: True)


@linux_only
def test_a_path_that_is_not_a_camera_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for path in ("/dev/null", str(tmp_path / "file"), str(tmp_path)):
        with pytest.raises(SourceUnavailable) as caught:
            CameraConnector(f"camera:{path}").connect(lambda: True)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


@linux_only
def test_no_camera_gives_an_empty_list_and_a_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "video0").write_text("a file, not a device")
    monkeypatch.setattr(devices, "_DEVICES", tmp_path)
    assert find_cameras() == []
    assert "no camera found" in camera_lines([])[0]


def test_a_camera_prints_as_text_and_json() -> None:
    camera = Camera(2, "/dev/video2", "HD Webcam", "uvcvideo", "usb-1", (*LAPTOP, Mode("H264", 640, 480)))
    assert camera.lines() == [
        "camera:2  HD Webcam (/dev/video2, uvcvideo, usb-1)",
        "  YUYV",
        "    640x480 at 30, 15 fps",
        "    1280x720 at 10 fps",
        "  MJPG",
        "    640x480 at 30 fps",
        "    1280x720 at 30 fps",
        "    1920x1080 at 30 fps",
        "  H264 (this program cannot read it)",
        "    640x480",
    ]
    found = json.loads(json.dumps(camera.to_dict()))
    assert found["modes"][0] == {"pixel_format": "YUYV", "width": 640, "height": 480, "rates_fps": ["30", "15"]}


def test_structures_have_the_sizes_of_the_kernel() -> None:
    # `sizeof` and the request numbers of linux/videodev2.h on a 64-bit machine, as gcc prints them.
    for structure, size in (
        (v4l2_abi.Capability, 104),
        (v4l2_abi.FmtDesc, 64),
        (v4l2_abi.FrmSizeEnum, 44),
        (v4l2_abi.FrmIvalEnum, 52),
        (v4l2_abi.PixFormat, 48),
        (v4l2_abi.Format, 208),
        (v4l2_abi.StreamParm, 204),
        (v4l2_abi.RequestBuffers, 20),
        (v4l2_abi.Buffer, 88),
    ):
        assert ctypes.sizeof(structure) == size, structure
    offsets = {"seconds": 24, "sequence": 56, "memory": 60, "m": 64, "length": 72}
    assert {name: getattr(v4l2_abi.Buffer, name).offset for name in offsets} == offsets
    assert v4l2_abi.VIDIOC_QUERYCAP == 0x80685600
    assert v4l2_abi.VIDIOC_S_FMT == 0xC0D05605
    assert v4l2_abi.VIDIOC_S_PARM == 0xC0CC5616
    assert v4l2_abi.VIDIOC_DQBUF == 0xC0585611
    assert v4l2_abi.VIDIOC_STREAMON == 0x40045612
    assert v4l2_abi.VIDIOC_ENUM_FRAMESIZES == 0xC02C564A
    assert v4l2_abi.VIDIOC_ENUM_FRAMEINTERVALS == 0xC034564B


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=4))
def test_formats_have_four_characters(name: str) -> None:
    assert v4l2_abi.fourcc(v4l2_abi.code(name)) == name
    assert v4l2_abi.code("YUYV") == 0x56595559


def test_the_default_of_a_laptop_camera_is_smooth_720p() -> None:
    assert choose_mode(LAPTOP) == Choice("MJPG", 1280, 720, Fraction(30))
    assert choose_mode(LAPTOP, size=(640, 480)).pixel_format == "YUYV"
    assert choose_mode(LAPTOP, pixel_format="yuyv422").width == 640
    assert choose_mode(LAPTOP, size=(1280, 720), pixel_format="YUYV").fps == 10


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"size": (1300, 700)}, "does not offer 1300x700; nearest: 1280x720"),
        ({"fps": Fraction(25)}, "does not offer 25 fps; nearest: 30 fps at"),
        ({"size": (1280, 720), "pixel_format": "YUYV", "fps": Fraction(30)}, "nearest: 10 fps at 1280x720"),
        ({"pixel_format": "NV12"}, "does not offer NV12; it offers YUYV, MJPG"),
    ],
)
def test_a_mode_that_is_not_offered_gives_the_nearest(wish: dict[str, object], message: str) -> None:
    with pytest.raises(NotOfferedError, match=message):
        choose_mode(LAPTOP, **wish)  # type: ignore[arg-type]


def test_a_camera_without_a_readable_format() -> None:
    with pytest.raises(NotOfferedError, match="only H264"):
        choose_mode([Mode("H264", 640, 480)])
    with pytest.raises(NotOfferedError, match="none at all"):
        choose_mode([])


@given(MODES, st.none() | st.sampled_from([(640, 480), (1280, 720)]), st.none() | RATES, st.none() | st.just("YUYV"))
def test_the_chosen_mode_is_offered_and_as_requested(
    modes: list[Mode], size: tuple[int, int] | None, fps: Fraction | None, pixel_format: str | None
) -> None:
    fitting = [
        (mode, rate)
        for mode in modes
        if mode.usable and size in (None, (mode.width, mode.height)) and pixel_format in (None, mode.pixel_format)
        for rate in (mode.rates_fps or (fps,))
        if fps is None or rate is None or same_rate(rate, fps)
    ]
    try:
        choice = choose_mode(modes, size=size, fps=fps, pixel_format=pixel_format)
    except NotOfferedError:
        assert not fitting
        return
    assert (choice.pixel_format, choice.width, choice.height, choice.fps) in [
        (mode.pixel_format, mode.width, mode.height, rate) for mode, rate in fitting
    ]
    if fps is None and choice.fps is not None and choice.fps < SMOOTH_FPS:
        assert all(rate is not None and rate < SMOOTH_FPS for _, rate in fitting)


def test_rates_are_the_same_in_common_notation() -> None:
    assert same_rate(Fraction(30000, 1001), Fraction("29.97"))
    assert same_rate(Fraction(30), Fraction("29.97"))
    assert not same_rate(Fraction(25), Fraction(24))


@given(st.integers(1, 64), st.integers(0, 16), st.integers(0, 200))
def test_a_range_is_represented_by_sizes_within_it(least: int, step: int, steps: int) -> None:
    most = least + max(step, 1) * steps
    limits = (least, most, step, least, most, step)
    inside = (least + max(step, 1) * (steps // 2), most)
    sizes = sizes_in_range(limits, inside)
    assert {(least, least), (most, most), inside} <= set(sizes)
    assert len(sizes) == len(set(sizes))
    for width, height in sizes:
        assert least <= width <= most
        assert (height - least) % max(step, 1) == 0


def test_ranges_of_rates() -> None:
    assert rates_in_range(Fraction(1, 40), Fraction(1, 8)) == [40, 30, 25, 15, 10, 8]


def plain(picture: av.VideoFrame, padding: int) -> bytes:
    """The bytes from a driver with `padding` bytes after each line of the first plane."""
    planes = []
    first = None
    for plane in picture.planes:
        used = {"nv12": picture.width, "nv21": picture.width}.get(picture.format.name)
        used = used or plane.width * picture.format.padded_bits_per_pixel // 8 if len(picture.planes) == 1 else used
        used = used or plane.width
        first = first or used
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, :used]
        planes.append(np.pad(rows, ((0, 0), (0, padding * used // first))).tobytes())
    return b"".join(planes)


@pytest.mark.parametrize("padding", [0, 32])
@pytest.mark.parametrize("name", list(RAW_FORMATS))
def test_uncompressed_frames_are_copied_exactly(name: str, padding: int) -> None:
    rgb = clips.picture(5, (162, 120))
    original = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=RAW_FORMATS[name])
    data = plain(original, padding)
    line = len(plain(original, 0)) // 120 if len(original.planes) == 1 else 162
    reader = RawFrameReader(name, 162, 120, line + padding, (6, 1))
    picture, damage = reader.read(memoryview(data))
    assert damage == ""
    assert picture.format.name == RAW_FORMATS[name]
    assert plain(picture, 0) == plain(original, 0)
    assert clips.read_number(picture) == 5
    with pytest.raises(BadFrameError, match=f"{len(data) - 1} of {len(data)} bytes"):
        reader.read(memoryview(data)[:-1])


def test_yuv_gets_the_tags_of_the_driver_and_rgb_none() -> None:
    picture, _ = RawFrameReader("YUYV", 64, 48, 0, (1, 2)).read(memoryview(bytes(64 * 48 * 2)))
    assert (int(picture.colorspace), int(picture.color_range)) == (1, 2)
    picture, _ = RawFrameReader("RGB3", 64, 48, 0, (1, 1)).read(memoryview(bytes(64 * 48 * 3)))
    assert picture.color_range != ColorRange.MPEG


def jpeg(number: int) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 160, 120, "yuvj422p", Fraction(1, 25)
    picture = av.VideoFrame.from_ndarray(clips.picture(number, (160, 120)), format="rgb24").reformat(format="yuvj422p")
    picture.pts = 0
    return bytes(encoder.encode(picture)[0])


def test_jpeg_frames_are_decoded_one_by_one() -> None:
    pictures = JpegFrameReader()
    for number in (3, 700):
        for data in (jpeg(number), jpeg(number) + bytes(512)):  # drivers pad
            picture, damage = pictures.read(memoryview(data))
            assert clips.read_number(picture) == number
            assert picture.format.name == "yuvj422p"
            assert damage == ""


def test_a_truncated_jpeg_is_damaged() -> None:
    pictures, whole = JpegFrameReader(), jpeg(9)
    picture, damage = pictures.read(memoryview(whole[: len(whole) * 2 // 3]))
    assert damage == INCOMPLETE
    assert (picture.width, picture.height) == (160, 120)
    for data in (b"", bytes(4000), whole[:40]):
        with pytest.raises(BadFrameError):
            pictures.read(memoryview(data))
    assert clips.read_number(pictures.read(memoryview(whole))[0]) == 9
