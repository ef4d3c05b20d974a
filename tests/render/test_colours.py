"""A colour comes out as drawn, in every matrix, range, depth and chroma sampling."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streamer.render.canvas import Canvas
from tests.colours import MATRICES, in_format, shown
from tests.render.scenes import noise, planes_of, same_pixels, steps_of, tagged

WIDTH, HEIGHT = 45, 37
RED, BLUE, WHITE, BLACK = (220, 30, 20), (0, 114, 178), (255, 255, 255), (0, 0, 0)
YUV = ["yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "nv12", "nv21", "nv16", "nv24", "yuva420p"]
YUV += ["yuv420p10le", "yuv422p12le", "yuv444p16le", "p010le", "p016le"]
RGB = ["rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr"]
RGB += ["gbrp", "gbrp10le", "gbrap12le", "rgb48le", "bgra64le"]
COLOURS = [RED, (0, 158, 115), BLUE, (240, 228, 66), WHITE, BLACK]


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("pixel_format", YUV)
def test_a_colour_comes_out_as_drawn(pixel_format: str, matrix: str, full_range: bool) -> None:
    canvas = Canvas(tagged(noise(32 * len(COLOURS), 32, pixel_format), matrix, full_range))
    for index, colour in enumerate(COLOURS):
        canvas.fill((32 * index, 0, 32 * index + 32, 32), colour)
    patches = shown(canvas.picture).reshape(32, len(COLOURS), 32, 3)
    assert np.abs(patches[12:20, :, 12:20] - np.array(COLOURS)[:, None]).max() <= 2


@pytest.mark.parametrize("pixel_format", RGB)
def test_rgb_comes_out_exactly(pixel_format: str) -> None:
    for colour in COLOURS:
        canvas = Canvas(noise(24, 24, pixel_format))
        canvas.fill((4, 4, 20, 20), colour)
        inside = shown(canvas.picture)[4:20, 4:20]
        assert np.abs(inside - colour).max() <= (0 if canvas.picture.format.components[0].bits == 8 else 1)


@pytest.mark.parametrize(
    ("pixel_format", "full_range", "black", "white"),
    [
        ("yuv420p", False, 16, 235),
        ("yuvj420p", True, 0, 255),
        ("yuv420p10le", False, 64, 940),
        ("yuv420p10le", True, 0, 1023),
        ("p010le", False, 64 << 6, 940 << 6),
        ("yuv420p9le", False, 32, 470),
        ("yuv444p9le", True, 0, 511),
        ("gbrp9le", True, 0, 511),
        ("gray9le", True, 0, 511),
        ("gray", True, 0, 255),
        ("gray16le", False, 4096, 60160),
    ],
)
def test_black_and_white_have_the_standard_code_values(
    pixel_format: str, full_range: bool, black: int, white: int
) -> None:
    canvas = Canvas(tagged(noise(16, 16, pixel_format), full_range=full_range))
    for colour, code in ((BLACK, black), (WHITE, white)):
        canvas.fill((0, 0, 16, 16), colour)
        assert set(planes_of(canvas.picture)[0].ravel().tolist()) == {code}


@pytest.mark.parametrize(
    ("code", "red", "blue"),
    [
        (1, 0.2126, 0.0722),
        (4, 0.30, 0.11),
        (5, 0.299, 0.114),
        (6, 0.299, 0.114),
        (7, 0.212, 0.087),
        (9, 0.2627, 0.0593),
        (10, 0.2627, 0.0593),
    ],
)
@pytest.mark.parametrize("size", [(16, 16), (1280, 16)])
def test_every_matrix_has_the_standard_weights(code: int, red: float, blue: float, size: tuple[int, int]) -> None:
    picture = noise(*size, "yuv444p16le")
    picture.colorspace = code
    canvas = Canvas(picture)
    for colour, weight in (((255, 0, 0), red), ((0, 0, 255), blue), ((0, 255, 0), 1 - red - blue)):
        canvas.fill((0, 0, *size), colour)
        assert set(planes_of(canvas.picture)[0].ravel().tolist()) == {round((16 + 219 * weight) * 256)}


@pytest.mark.parametrize("pixel_format", ["yuva420p", "yuva444p10le", "rgba", "argb", "gbrap", "ya8", "vuya"])
def test_drawing_is_opaque(pixel_format: str) -> None:
    canvas = Canvas(noise(16, 16, pixel_format))
    canvas.fill((0, 0, 16, 16), RED)
    assert (in_format(canvas.picture, "rgba").to_ndarray()[..., 3] == 255).all()


def test_luma_and_chroma_dashes_match() -> None:
    """Luma and chroma dashes match also if the box starts on odd pixels."""
    picture = av.VideoFrame(96, 96, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    canvas = Canvas(tagged(picture, "bt601"))
    canvas.outline((11, 13, 85, 83), RED, 2, dashed=True)
    luma, _, chroma = planes_of(canvas.picture)
    line, cells = luma[13:15, 12:84], chroma[6:8, 6:42]
    bright = (line.reshape(2, -1, 2) > 40).any(axis=(0, 2))
    assert np.array_equal((cells > 128).any(axis=0), bright)


def test_chroma_beyond_the_line_lies_on_the_casing() -> None:
    """Every chroma sample that a line changes stands for pixels that line and casing cover."""
    for x0 in (10, 11):
        for thickness in (1, 2, 3):
            before = tagged(noise(64, 64, "yuv420p"), "bt601")
            canvas = Canvas(before)
            canvas.outline((x0, x0, 50, 51), RED, thickness)
            changed = planes_of(before)[1] != planes_of(canvas.picture)[1]
            drawn = planes_of(before)[0] != planes_of(canvas.picture)[0]
            spread = np.repeat(np.repeat(changed, 2, axis=0), 2, axis=1)
            # One sample in 200 has the new value by chance before drawing.
            assert (spread & ~drawn).sum() <= 0.02 * spread.sum()


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv411p", "nv12", "yuv422p10le"])
def test_a_full_mask_equals_a_fill_in_odd_rows_and_columns(pixel_format: str) -> None:
    filled, masked = Canvas(noise(33, 21, pixel_format)), Canvas(noise(33, 21, pixel_format))
    filled.fill((8, 8, 33, 21), RED)
    masked.blend_mask(np.full((13, 25), 255, np.uint8), 8, 8, RED)
    assert same_pixels(filled.picture, masked.picture)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "nv12"])
def test_every_sample_that_a_line_touches_has_its_colour(pixel_format: str) -> None:
    for x0, y0, x1, y1 in ((10, 10, 40, 40), (11, 11, 40, 41), (10, 11, 41, 40), (11, 10, 45, 37)):
        canvas, full = Canvas(noise(WIDTH, HEIGHT, pixel_format)), Canvas(noise(WIDTH, HEIGHT, pixel_format))
        canvas.outline((x0, y0, x1, y1), RED, 1)
        full.fill((0, 0, WIDTH, HEIGHT), RED)
        for index, (drawn, red) in enumerate(zip(planes_of(canvas.picture), planes_of(full.picture), strict=True)):
            sx, sy = steps_of(canvas.picture, index)
            for samples in (drawn[y0 // sy, x0 // sx : -(-x1 // sx)], drawn[y0 // sy : -(-y1 // sy), x0 // sx]):
                assert (samples == red[0, 0]).all()
            right = drawn[y0 // sy : -(-min(y1, HEIGHT) // sy), (x1 - 1) // sx]
            assert (right == red[0, 0]).all()


def test_the_unused_low_bits_of_p010_stay_zero() -> None:
    canvas = Canvas(noise(32, 32, "p010le"))
    canvas.fill((1, 1, 30, 29), RED, 0.37)
    canvas.blend_mask(np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8), 0, 0, WHITE)
    assert all((samples & 0x3F == 0).all() for samples in planes_of(canvas.picture))
