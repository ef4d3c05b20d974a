"""Frames of every pixel format: their RGB for the detector, and their canvas."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from streamer.render.canvas import Canvas
from streamer.values.frame import Frame
from tests.colours import (
    FULL,
    LIMITED,
    MATRICES,
    filtered,
    in_format,
    made,
    palette_picture,
    readable_formats,
    shown,
    translucent,
)

TAGGED = ["yuv420p", "yuv422p10le", "yuv444p", "nv12", "yuyv422", "uyvy422", "yuva444p16le", "vuya", "p210le"]
GREY = ["gray", "gray9le", "gray10be", "gray12le", "gray16le", "gray16be", "grayf32le", "ya8", "ya16be", "monow"]


def rgb(picture: av.VideoFrame) -> np.ndarray:
    return Frame(picture, 0, 0, Fraction(1, 25), 0.0).rgb().astype(int)


def assert_seen_as_ffmpeg_shows_it(picture: av.VideoFrame) -> None:
    # FFmpeg's default is less exact than the oracle, which interpolates coarser chroma.
    default = filtered(picture, ("scale", "flags=bicubic"), ("format", "pix_fmts=rgb24")).to_ndarray().astype(int)
    off = np.abs(rgb(picture) - default)
    assert off.max() <= 4
    assert off.mean() < 0.5
    assert np.abs(rgb(picture) - shown(picture)).mean() < 2.5


def assert_kept_by_a_canvas(picture: av.VideoFrame) -> None:
    copy = Canvas(picture).picture
    assert np.abs(shown(copy) - shown(picture)).max() <= 1, copy.format.name


@pytest.mark.parametrize("pixel_format", readable_formats())
def test_every_format_keeps_its_colours(pixel_format: str) -> None:
    picture = made(pixel_format)
    assert_seen_as_ffmpeg_shows_it(picture)
    assert_kept_by_a_canvas(picture)


@pytest.mark.parametrize("code", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("pixel_format", TAGGED)
def test_every_matrix_and_range_keeps_its_colours(pixel_format: str, matrix: str, code: int) -> None:
    picture = made(pixel_format, matrix=MATRICES[matrix], code=code)
    assert_seen_as_ffmpeg_shows_it(picture)
    assert_kept_by_a_canvas(picture)


@pytest.mark.parametrize("code", [0, LIMITED, FULL], ids=["untagged", "limited", "full"])
@pytest.mark.parametrize("pixel_format", GREY)
def test_grey_keeps_its_levels_with_and_without_a_range(pixel_format: str, code: int) -> None:
    picture = made(pixel_format, code=code)
    assert_seen_as_ffmpeg_shows_it(picture)
    assert_kept_by_a_canvas(picture)


@pytest.mark.parametrize("code", [0, FULL], ids=["untagged", "full"])
@pytest.mark.parametrize("pixel_format", ["yuvj411p", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"])
def test_jpeg_formats_are_full_range_with_and_without_a_tag(pixel_format: str, code: int) -> None:
    picture = made(pixel_format, code=FULL)
    picture.color_range = code
    assert_seen_as_ffmpeg_shows_it(picture)
    assert_kept_by_a_canvas(picture)


def test_a_palette_gives_exactly_its_colours() -> None:
    picture = palette_picture()
    indices = np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(picture.height, -1)[:, : picture.width]
    argb = np.frombuffer(memoryview(picture.planes[1]), np.uint32)[:256]
    channels = np.stack([argb >> 16 & 255, argb >> 8 & 255, argb & 255], axis=-1)
    assert np.array_equal(rgb(picture), channels[indices])
    assert np.array_equal(shown(Canvas(picture).picture), channels[indices])


@pytest.mark.parametrize("pixel_format", ["pal8", "gbrapf32le", "rgba64be", "uyva", "yuva420p9be", "ya16be"])
def test_alpha_outlives_the_conversion_for_drawing(pixel_format: str) -> None:
    picture = palette_picture(alpha=77) if pixel_format == "pal8" else in_format(translucent(77), pixel_format)
    rgba = in_format(Canvas(picture).picture, "rgba").to_ndarray()
    assert np.abs(rgba[..., 3].astype(int) - 77).max() <= 1


@pytest.mark.parametrize("size", [(1279, 576), (1280, 576), (1280, 577), (640, 577), (64, 48)])
def test_untagged_pictures_have_the_matrix_that_players_assume(size: tuple[int, int]) -> None:
    assumed = "bt709" if size[0] >= 1280 or size[1] > 576 else "bt601"
    untagged = made("yuv444p", matrix=MATRICES[assumed], code=LIMITED, size=size)
    tagged = shown(untagged)
    untagged.colorspace, untagged.color_range = 2, 0
    assert np.abs(rgb(untagged) - tagged).max() <= 1
    canvas = Canvas(untagged)
    canvas.fill((0, 0, *size), (220, 30, 20))
    drawn = canvas.picture
    drawn.colorspace, drawn.color_range = MATRICES[assumed], LIMITED
    assert np.abs(shown(drawn) - (220, 30, 20)).max() <= 2
