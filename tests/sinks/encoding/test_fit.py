"""Frames that the encoder cannot take: other sizes, aspect ratios, fields, odd sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from streamer.errors import SinkUnavailable
from streamer.interfaces import Scene, StreamInfo
from streamer.sinks.encoding.fit import PictureFit
from streamer.sinks.encoding.pixel_format import output_colour
from streamer.sources.file.file import FileSource
from streamer.sources.images.images import ImageSource
from streamer.values.states import FrameState
from tests.clips import picture, read_number, write_picture
from tests.sinks.making import recording_sink, video_sink
from tests.sinks.scenes import LABELS, decoded, info, samples, scene, tracks, write_all

LOSSLESS: dict[str, Any] = {"options": {"qp": "0", "preset": "ultrafast"}}
EXACT: dict[str, Any] = {"codec": "ffv1"}


def with_ratio(one: Scene, ratio: Fraction) -> Scene:
    return replace(one, frame=replace(one.frame, sample_aspect_ratio=ratio))


def luma(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    return samples(frame)[0]


def fitted(info: StreamInfo, frame: av.VideoFrame, ratio: Fraction | None = None) -> tuple[av.VideoFrame, list[str]]:
    """The frame for an encoder with the format of the expected frames, and the notes."""
    notes: list[str] = []
    tags = output_colour(info, info.pixel_format, limited=False)
    return PictureFit(info, info.pixel_format, (0, 0), tags, notes.append)(frame, ratio), notes


def flat(size: tuple[int, int], pixel_format: str = "yuv420p", level: int = 128) -> av.VideoFrame:
    """A picture with one 8 bit value for all samples."""
    frame = av.VideoFrame(*size, pixel_format)
    for plane in frame.planes:
        plane.update(bytes([level]) * plane.buffer_size)
    return frame


@pytest.mark.parametrize("to", [(64, 48), (65, 49), (48, 64)], ids=str)
@pytest.mark.parametrize("size", [(48, 64), (128, 96), (200, 40), (40, 200)], ids=str)
@pytest.mark.parametrize("ratio", [Fraction(1), Fraction(16, 11), Fraction(1, 2)], ids=str)
@pytest.mark.parametrize("to_ratio", [Fraction(1), Fraction(4, 3)], ids=str)
def test_scaled_frames_keep_their_proportions(
    size: tuple[int, int], to: tuple[int, int], ratio: Fraction, to_ratio: Fraction
) -> None:
    made, _ = fitted(info(size=to, sample_aspect_ratio=to_ratio), flat(size), ratio)
    assert (made.width, made.height) == to
    lit = luma(made) == 128
    rows, columns = lit.any(axis=1), lit.any(axis=0)
    assert lit[rows][:, columns].all()
    assert rows.all() or columns.all()
    width, height = int(columns.sum()), int(rows.sum())
    wanted = float(ratio * size[0] / size[1] / to_ratio)
    # To two pixels, the step of chroma: as wide as its height demands, or as high as its width demands.
    assert abs(width - height * wanted) <= 2 or abs(height - width / wanted) <= 2
    for one, whole in ((rows, to[1]), (columns, to[0])):
        before = int(np.argmax(one))
        assert 0 <= whole - int(one.sum()) - 2 * before <= 3  # in the middle
    assert (luma(made)[~lit] == 16).all()


@pytest.mark.parametrize(
    ("pixel_format", "span", "black"),
    [
        ("yuv420p", 1, [b"\x10", b"\x80", b"\x80"]),
        ("yuv420p", 2, [b"\x00", b"\x80", b"\x80"]),
        ("yuvj444p", 2, [b"\x00", b"\x80", b"\x80"]),
        ("yuv422p10le", 1, [b"\x40\0", b"\0\x02", b"\0\x02"]),
        ("nv12", 1, [b"\x10", b"\x80\x80"]),
        ("p010le", 1, [b"\0\x10", b"\0\x80\0\x80"]),
        ("yuyv422", 1, [b"\x10\x80"]),
        ("gray", 2, [b"\x00"]),
        ("gray", 1, [b"\x10"]),
        ("gray10le", 1, [b"\x40\0"]),
        ("gray16be", 1, [b"\x10\0"]),
        ("rgb24", 2, [b"\0\0\0"]),
        ("bgra", 2, [b"\0\0\0\xff"]),
        ("gbrp", 2, [b"\0", b"\0", b"\0"]),
        ("yuva420p", 1, [b"\x10", b"\x80", b"\x80", b"\xff"]),
    ],
)
def test_bars_are_black_in_every_format_and_range(pixel_format: str, span: int, black: Sequence[bytes]) -> None:
    shown = flat((32, 48), pixel_format, 200)
    shown.color_range = span
    made, notes = fitted(info(pixel_format=pixel_format, colour=(2, 2, 2, span)), shown)
    assert notes == ["frames of 32x48 came among 64x48: scaled to fit with bars"]
    for plane, given, pixel in zip(samples(made), samples(shown), black, strict=True):
        edge = plane.shape[1] // 4
        bars = np.hstack([plane[:, :edge], plane[:, -edge:]])
        assert bars.tobytes() == pixel * (bars.size // len(pixel))
        assert np.array_equal(plane[:, edge:-edge], given)  # not scaled: as high as the frame


def test_frames_of_the_same_proportions_get_no_bars() -> None:
    made, notes = fitted(info(size=(64, 36)), flat((1920, 1080)))
    assert (luma(made) == 128).all()
    assert notes == ["frames of 1920x1080 came among 64x36: scaled to fit"]


def test_another_aspect_ratio_makes_bars_and_is_noted_once(tmp_path: Path) -> None:
    source = [with_ratio(scene(k, k * 512), Fraction(16, 11) if k > 1 else Fraction(1)) for k in range(4)]
    sink = video_sink(tmp_path / "out.mkv", info(), **EXACT)
    write_all(sink, source)
    frames = decoded(tmp_path / "out.mkv")
    bars = [bool((luma(frame)[:6] == 16).all()) for frame in frames]
    assert bars == [False, False, True, True]
    assert read_number(frames[1]) == 1
    assert sink.notes == ["frames of 64x48 with pixels 16:11 came among 64x48: scaled to fit with bars"]


def test_a_frame_without_an_aspect_ratio_has_the_expected_one() -> None:
    shown = flat((64, 48))
    made, notes = fitted(info(sample_aspect_ratio=Fraction(16, 11)), shown)
    assert np.array_equal(luma(made), luma(shown))
    assert notes == []


@pytest.mark.parametrize("codec", ["ffv1", "h264"])
def test_portrait_and_landscape_photos_are_scaled_to_fit(codec: str, tmp_path: Path) -> None:
    for number, size in enumerate([(160, 120), (120, 160), (320, 240), (100, 100)]):
        write_picture(tmp_path / f"{number}.png", number, size=size)
    with ImageSource(tmp_path) as source, video_sink(tmp_path / "out.mkv", source.info, codec=codec) as sink:
        for frame in source:
            sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
    frames = decoded(tmp_path / "out.mkv")
    assert {(frame.width, frame.height) for frame in frames} == {(160, 120)}
    inside = [frames[0], _columns(frames[1], 35, 125), frames[2], _columns(frames[3], 20, 140)]
    for number, part in enumerate(inside):
        assert read_number(part) == number
    assert sum("came among 160x120: scaled to fit" in note for note in sink.notes) == 1


def _columns(frame: av.VideoFrame, first: int, end: int) -> av.VideoFrame:
    grey = frame.reformat(format="gray").to_ndarray()
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(grey[:, first:end], np.uint8), "gray")


def fields(size: tuple[int, int], top: int, bottom: int) -> av.VideoFrame:
    """A picture with one value per field in all planes."""
    frame = av.VideoFrame(*size, "yuv420p")
    for plane in frame.planes:
        rows = np.full((plane.height, plane.line_size), top, np.uint8)
        rows[1::2] = bottom
        plane.update(rows.tobytes())
    return frame


@pytest.mark.parametrize("size", [(64, 96), (128, 24), (32, 240)], ids=str)
def test_fields_are_scaled_separately(size: tuple[int, int]) -> None:
    made, notes = fitted(info(field_order=2), fields(size, 200, 100))
    inside = [np.hsplit(plane, [plane.shape[1] // 2])[0][:, -1] for plane in samples(made)]  # a column of the picture
    rows = np.flatnonzero((inside[0] == 200) | (inside[0] == 100))
    assert rows[0] % 4 == 0
    assert len(rows) % 4 == 0
    for plane, shared in zip(inside, (1, 2, 2), strict=True):
        part = plane[rows[0] // shared : (rows[-1] + 1) // shared]
        assert (part[::2] == 200).all()
        assert (part[1::2] == 100).all()
    assert not any("fields" in line for line in notes)


def test_frames_that_are_marked_interlaced_are_scaled_by_field(tmp_path: Path) -> None:
    given = scene(0, 0, size=(64, 96))
    given = replace(given, picture=fields((64, 96), 200, 100))
    write_all(video_sink(tmp_path / "in.mp4", info(size=(64, 96), field_order=2), **LOSSLESS), [given])
    with FileSource(tmp_path / "in.mp4") as source:
        (frame,) = source
    assert frame.picture.interlaced_frame
    made, _ = fitted(info(), frame.picture)  # into progressive video
    middle = luma(made)[:, 32]
    assert (middle[::2] == 200).all()
    assert (middle[1::2] == 100).all()


def test_fields_that_cannot_be_scaled_separately_are_noted() -> None:
    _, notes = fitted(info(field_order=2), fields((64, 50), 200, 100))
    assert notes[-1] == "interlaced frames are scaled from 50 to 48 rows, which mixes their fields"


@pytest.mark.parametrize(("field_order", "top_first"), [(2, True), (3, False), (4, False), (5, True)])
@pytest.mark.parametrize("codec", ["h264", "mpeg2video"])
def test_the_field_order_is_kept(field_order: int, top_first: bool, codec: str, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    write_all(video_sink(output, info(field_order=field_order), codec=codec), [scene(k, k * 512) for k in range(3)])
    assert _field_words(output) == ["T" if top_first else "B"] * 3


def test_progressive_video_is_not_marked_as_interlaced(tmp_path: Path) -> None:
    write_all(video_sink(tmp_path / "out.mkv", info()), [scene(0, 0)])
    assert _field_words(tmp_path / "out.mkv") == ["P"]


def _field_words(path: Path) -> list[str]:
    """The field of each frame from FFmpeg's `showinfo`: P, T or B for the first field."""
    frames = decoded(path)
    graph = av.filter.Graph()
    source = graph.add_buffer(width=64, height=48, format=frames[0].format, time_base=Fraction(1, 1000))
    graph.link_nodes(source, graph.add("showinfo"), graph.add("buffersink")).configure()
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as lines:
            for frame in frames:
                graph.vpush(frame)
                graph.vpull()
    finally:
        av.logging.set_level(level)
    return [text.split(" i:")[1][0] for _, _, text in lines if " i:" in text]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize(
    ("size", "padded", "field_order"),
    [
        ((65, 48), (66, 48), 1),
        ((64, 49), (64, 50), 1),
        ((65, 49), (66, 50), 1),
        ((64, 50), (64, 52), 2),
        ((67, 49), (68, 52), 2),
    ],
)
def test_h264_is_padded_at_the_right_and_the_bottom_only(
    size: tuple[int, int], padded: tuple[int, int], field_order: int, pixel_format: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    given = scene(3, 0, size=size, pix_fmt=pixel_format)
    sink = video_sink(output, info(size=size, pixel_format=pixel_format, field_order=field_order), **LOSSLESS)
    write_all(sink, [given])
    (frame,) = decoded(output)
    assert (frame.width, frame.height) == padded
    for plane, (made, whole) in enumerate(zip(samples(frame), samples(given.frame.picture), strict=True)):
        rows, columns = whole.shape
        pixel = 2 if pixel_format.endswith("10le") else 1
        assert np.array_equal(made[:rows, :columns], whole)
        added = (made.shape[1] - columns) // pixel
        assert np.array_equal(made[:rows, columns:], np.tile(whole[:, -pixel:], added))
        assert (made[rows:] == made[rows - 1]).all(), plane
    (note,) = (note for note in sink.notes if "padded" in note)
    assert note.startswith(f"h264 {pixel_format} cannot have {size[0]}x{size[1]}: padded to {padded[0]}x{padded[1]} ")
    assert note.endswith("at the right and the bottom")


@pytest.mark.parametrize("pixel_format", ["yuv444p", "gray"])
def test_formats_without_shared_chroma_take_any_size(pixel_format: str, tmp_path: Path) -> None:
    given = scene(3, 0, size=(65, 49), pix_fmt=pixel_format)
    sink = video_sink(tmp_path / "out.mp4", info(size=(65, 49), pixel_format=pixel_format), **LOSSLESS)
    write_all(sink, [given])
    (frame,) = decoded(tmp_path / "out.mp4")
    assert (frame.width, frame.height) == (65, 49)
    assert np.array_equal(luma(frame), luma(given.frame.picture))


@pytest.mark.parametrize("span", [1, 2], ids=["limited", "full"])
@pytest.mark.parametrize("level", [0, 16, 100, 235, 255])
def test_scaling_keeps_levels(span: int, level: int) -> None:
    shown = flat((128, 96), level=level)
    shown.color_range, shown.colorspace = span, 1
    made, _ = fitted(info(colour=(1, 1, 1, span)), shown)
    assert (luma(made) == level).all()
    assert int(made.color_range) == span


def test_a_pixel_format_that_the_encoder_lacks_is_refused(tmp_path: Path) -> None:
    sink = video_sink(tmp_path / "out.mp4", info(), codec="mjpeg", pixel_format="gbrp")
    with pytest.raises(SinkUnavailable, match=r"mjpeg has no pixel format gbrp; it has .*yuv420p"):
        sink.__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_begins_a_file_when_the_aspect_ratio_changes(tmp_path: Path) -> None:
    sink = recording_sink(tmp_path / "a.mkv", info(), on_change="reopen", reserve_bytes=0)
    with sink:
        for k in range(4):
            sink.write(with_ratio(scene(k, k * 512), Fraction(16, 11) if k > 1 else Fraction(1)))
    ratios = set()
    for path in tmp_path.iterdir():
        with av.open(str(path)) as container:
            ratios.add(container.streams.video[0].sample_aspect_ratio)
    assert ratios == {Fraction(1), Fraction(16, 11)}


def test_boxes_are_those_of_the_frame(tmp_path: Path) -> None:
    tall = scene(1, 512, size=(48, 64), count=2)
    write_all(video_sink(tmp_path / "out.mkv", info(), **EXACT), [scene(0, 0), tall])
    assert (tall.frame.width, tall.frame.height) == (48, 64)
    assert np.array_equal(tall.tracks.boxes, tracks(2).boxes)
    assert read_number(tall.frame.picture) == 1


def test_the_picture_is_whole_inside_the_bars() -> None:
    shown = av.VideoFrame.from_ndarray(picture(555, (96, 320)), "rgb24").reformat(format="yuv420p")
    made, _ = fitted(info(size=(160, 160)), shown)
    assert read_number(_columns(made, 56, 104)) == 555
