"""The copy for drawing is exact, complete and independent of the original."""

from __future__ import annotations

import logging
from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph

from streamer.errors import StreamerError
from streamer.render.canvas import Canvas
from streamer.render.layout import layout_of
from tests.render.scenes import DRAWABLE, noise, planes_of, same_pixels, tagged


def through(picture: av.VideoFrame, name: str, arguments: str) -> av.VideoFrame:
    graph = Graph()
    source = graph.add_buffer(
        template=None, width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
    )
    graph.link_nodes(source, graph.add(name, arguments), graph.add("buffersink")).configure()
    graph.vpush(picture)
    return graph.vpull()


@pytest.mark.parametrize("size", [(37, 23), (1, 1), (2, 2), (130, 1)])
@pytest.mark.parametrize("pixel_format", DRAWABLE)
def test_copy_has_the_same_pixels_and_tags(pixel_format: str, size: tuple[int, int]) -> None:
    picture = noise(*size, pixel_format)
    copy = Canvas(picture).picture
    assert same_pixels(copy, picture)
    for tag in ("pts", "time_base", "duration", "colorspace", "color_range", "color_primaries", "color_trc"):
        assert getattr(copy, tag) == getattr(picture, tag), tag


@pytest.mark.parametrize("pixel_format", DRAWABLE)
def test_drawing_does_not_change_the_original(pixel_format: str) -> None:
    picture = noise(40, 30, pixel_format)
    before = planes_of(picture)
    canvas = Canvas(picture)
    canvas.fill((0, 0, 40, 30), (10, 200, 30))
    assert all(np.array_equal(one, other) for one, other in zip(before, planes_of(picture), strict=True))
    assert not same_pixels(canvas.picture, picture)


def test_every_format_has_one_layout_plane_for_each_of_its_planes() -> None:
    assert len(DRAWABLE) > 90
    for name in DRAWABLE:
        layout, described = layout_of(name), av.VideoFormat(name, 16, 16)
        assert layout is not None
        assert len(layout.planes) == max(component.plane for component in described.components) + 1, name
        channels = sum(len(plane.replace("-", "")) for plane in layout.planes)
        assert channels == len(described.components), name
        assert {component.bits for component in described.components} == {layout.bits}, name


def test_the_encoder_is_free_to_choose_the_picture_type() -> None:
    picture = noise(16, 16)
    picture.pict_type = 1
    assert Canvas(picture).picture.pict_type == 0
    assert picture.pict_type == 1


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p12le", "gray", "gbrp10le", "bgra"])
def test_an_annotated_frame_survives_a_lossless_encoder(pixel_format: str) -> None:
    canvas = Canvas(noise(65, 47, pixel_format))
    canvas.outline((5, 5, 60, 40), (230, 159, 0), 2)
    encoder = av.CodecContext.create("ffv1", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 65, 47, pixel_format, Fraction(1, 90000)
    packets = [*encoder.encode(canvas.picture), *encoder.encode(None)]
    decoder = av.CodecContext.create("ffv1", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata, decoder.width, decoder.height = encoder.extradata, 65, 47
    decoded = [frame for packet in packets for frame in decoder.decode(packet)]
    assert [frame.pts for frame in decoded] == [4711]
    assert same_pixels(decoded[0], canvas.picture)


def test_interlacing_is_kept() -> None:
    picture = through(noise(32, 32), "setfield", "tff")
    assert picture.interlaced_frame
    assert Canvas(picture).picture.interlaced_frame


def test_a_frame_stored_bottom_up_is_copied_upright() -> None:
    picture = noise(32, 20)
    flipped = through(picture, "vflip", "")
    assert flipped.planes[0].line_size < 0
    canvas = Canvas(flipped)
    assert np.array_equal(planes_of(canvas.picture)[0], planes_of(picture)[0][::-1])


def test_a_frame_without_time_stays_without() -> None:
    picture = av.VideoFrame(16, 16, "yuv420p")
    copy = Canvas(picture).picture
    assert copy.pts is None
    assert copy.time_base is None


def test_frames_of_alternating_size_and_format_are_copied() -> None:
    for turn in range(3):
        for size, pixel_format in (((32, 16), "yuv420p"), ((16, 32), "yuv420p"), ((16, 32), "nv12")):
            picture = noise(*size, pixel_format, seed=turn)
            assert same_pixels(Canvas(picture).picture, picture)


@pytest.mark.parametrize(
    ("native", "drawable"),
    [
        ("yuyv422", "yuv422p"),
        ("uyvy422", "yuv422p"),
        ("yuv420p10be", "yuv420p10le"),
        ("rgb48be", "rgb48le"),
        ("pal8", "bgra"),
        ("rgb565le", "rgb24"),
        ("monob", "gray"),
        ("y210le", "yuv422p10le"),
        ("gbrpf32le", "rgb48le"),
    ],
)
def test_other_formats_are_converted_and_logged_once(
    native: str, drawable: str, caplog: pytest.LogCaptureFixture
) -> None:
    from streamer.render.planes import _log_conversion

    _log_conversion.cache_clear()
    picture = av.VideoFrame(32, 16, native)
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    picture.pts, picture.time_base = 9, Fraction(1, 30)
    with caplog.at_level(logging.INFO, "streamer"):
        first, second = Canvas(picture), Canvas(picture)
    assert first.picture.format.name == second.picture.format.name == drawable
    assert (first.picture.pts, first.picture.time_base) == (9, Fraction(1, 30))
    (told,) = (record.getMessage() for record in caplog.records)
    assert f"{native} are converted to {drawable}" in told


PACKED = {"yuyv422": (0, 1, 2, 3), "uyvy422": (1, 0, 3, 2), "yvyu422": (0, 3, 2, 1)}
"""Where the first luma, the U, the second luma and the V sample of two pixels are."""


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("pixel_format", PACKED)
def test_packed_422_is_unpacked_exactly(pixel_format: str, full_range: bool) -> None:
    picture = noise(32, 16, pixel_format)
    picture.color_range = 2 if full_range else 1
    (pairs,) = (plane.reshape(16, 16, 4) for plane in planes_of(picture))
    luma, first, second = planes_of(Canvas(picture).picture)
    y0, u, y1, v = PACKED[pixel_format]
    assert np.array_equal(luma[:, ::2], pairs[..., y0])
    assert np.array_equal(luma[:, 1::2], pairs[..., y1])
    assert np.array_equal(first, pairs[..., u])
    assert np.array_equal(second, pairs[..., v])


@pytest.mark.parametrize("code", [0, 1, 2])
@pytest.mark.parametrize("pixel_format", ["yuyv422", "yuv420p10be", "monob", "rgb565le", "xyz12be"])
def test_conversion_keeps_the_tags_and_the_original(pixel_format: str, code: int) -> None:
    picture = tagged(av.VideoFrame(32, 16, pixel_format))
    picture.color_range, picture.pict_type = code, 1
    copy = Canvas(picture).picture
    for tag in ("pts", "time_base", "duration", "colorspace", "color_range", "color_primaries", "color_trc"):
        assert getattr(copy, tag) == getattr(picture, tag), tag
    assert (copy.pict_type, picture.pict_type) == (0, 1)
    assert picture.format.name == pixel_format


def test_a_format_that_cannot_be_converted_is_an_error() -> None:
    picture = av.VideoFrame(16, 16, "gray32le")
    with pytest.raises(StreamerError, match="gray32le"):
        Canvas(picture)
