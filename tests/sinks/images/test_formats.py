"""Pictures of every kind, in and out: colours, depth, transparency, orientation and profile stay."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from streamer.sinks.images.formats import suffix_for
from tests import clips
from tests.sinks.images.writing import rgb_of, write_annotated
from tests.sources.decode.box_editing import box
from tests.sources.images.heif_writing import Written, write_heif

PNG_FORMATS = ("rgb24", "rgba", "rgb48be", "rgba64be", "gray", "ya8", "gray16be", "ya16be", "pal8", "monob")


def write_png(path: Path, pix_fmt: str, side_chunks: bytes = b"") -> Path:
    """A PNG whose pixel format has noise in every component; chunks are inserted after the header."""
    rgb = np.random.default_rng(7).integers(0, 65536, (48, 64, 4), np.uint16)
    frame = av.VideoFrame.from_ndarray(rgb, "rgba64le").reformat(format="rgba64be")
    if pix_fmt == "pal8":
        frame = av.VideoFrame.from_ndarray((rgb >> 8).astype(np.uint8)[..., :3], "rgb24").reformat(format="rgb8")
        indices = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(48, -1)[:, :64]
        path.write_bytes(palette_png(indices))
        return path
    context: Any = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 64, 48, pix_fmt, Fraction(1, 25)
    packets = [*context.encode(frame.reformat(format=pix_fmt)), *context.encode(None)]
    content = b"".join(bytes(packet) for packet in packets)
    path.write_bytes(content[:33] + side_chunks + content[33:])
    return path


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def palette_png(indices: npt.NDArray[np.uint8]) -> bytes:
    """A PNG with a palette of 256 colours (W3C PNG, 11.2)."""
    height, width = indices.shape
    colours = np.random.default_rng(3).integers(0, 256, 768, np.uint8).tobytes()
    rows = b"".join(b"\0" + row.tobytes() for row in indices)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"PLTE", colours)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def exif(orientation: int) -> bytes:
    """A TIFF directory with an orientation (EXIF 2.32, 4.6.4)."""
    return b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0) + bytes(4)


@pytest.mark.parametrize("pix_fmt", PNG_FORMATS)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_png_and_tiff_keep_every_sample(pix_fmt: str, suffix: str, tmp_path: Path) -> None:
    source = write_png(tmp_path / "in.png", pix_fmt)
    made, notes = write_annotated(source, tmp_path / f"out{suffix}")
    kind = "rgba64le" if "16" in pix_fmt or "64" in pix_fmt or "48" in pix_fmt else "rgba"
    assert np.array_equal(rgb_of(source, kind), rgb_of(made, kind))
    assert notes == []


@pytest.mark.parametrize("pix_fmt", ["yuvj420p", "yuvj422p", "yuvj444p"])
def test_a_jpeg_becomes_a_jpeg_with_the_same_chroma(pix_fmt: str, tmp_path: Path) -> None:
    source = clips.write_picture(tmp_path / "in.jpg", 5, pix_fmt=pix_fmt)
    made, notes = write_annotated(source, tmp_path / "out.jpg")
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == pix_fmt
    assert psnr(rgb_of(source), rgb_of(made)) > 45
    assert notes == []


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".bmp"])
@pytest.mark.parametrize("pix_fmt", PNG_FORMATS)
def test_smaller_formats_keep_the_colours(pix_fmt: str, suffix: str, tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    smooth = clips.write_picture(tmp_path / "smooth.png", 5)
    with av.open(str(smooth)) as container:
        frame = next(container.decode(video=0))
    context: Any = av.CodecContext.create("png", "w")
    kind = "rgb24" if pix_fmt == "pal8" else pix_fmt
    context.width, context.height, context.pix_fmt, context.time_base = frame.width, frame.height, kind, Fraction(1, 25)
    packets = [*context.encode(frame.reformat(format=kind)), *context.encode(None)]
    source.write_bytes(b"".join(bytes(packet) for packet in packets))
    made, _ = write_annotated(source, tmp_path / f"out{suffix}")
    assert psnr(rgb_of(source), rgb_of(made)) > 35


def test_what_a_format_cannot_hold_is_noted(tmp_path: Path) -> None:
    deep = write_png(tmp_path / "deep.png", "rgb48be")
    assert write_annotated(deep, tmp_path / "deep.jpg")[1] == ["JPEG does not keep the 16 bits per sample"]
    clear = write_png(tmp_path / "clear.png", "rgba")
    assert write_annotated(clear, tmp_path / "clear.jpg")[1] == ["JPEG does not keep the transparency"]
    palette = write_png(tmp_path / "palette.png", "pal8")
    assert write_annotated(palette, tmp_path / "palette.jpg")[1] == []  # it has no transparent colour


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp"])
def test_a_turned_photo_is_turned_once(suffix: str, tmp_path: Path) -> None:
    stored = clips.turned(clips.picture(77, (160, 120)), 270, None)
    plain = clips.write_picture(tmp_path / "plain.jpg", rgb=stored).read_bytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(exif(6)) + 8) + b"Exif\0\0" + exif(6)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(plain[:2] + segment + plain[2:])
    made, _ = write_annotated(photo, tmp_path / f"out{suffix}")
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.rotation) == (160, 120, 0)
    assert clips.read_number(frame) == 77


def test_a_profile_is_kept_or_noted(tmp_path: Path) -> None:
    profile = b"profile" * 40
    source = write_png(tmp_path / "in.png", "rgb24", chunk(b"iCCP", b"display\0\0" + zlib.compress(profile)))
    as_png, notes = write_annotated(source, tmp_path / "out.png")
    found = as_png.read_bytes()
    at = found.index(b"iCCP")
    content = found[at + 4 : at + 4 + struct.unpack(">I", found[at - 4 : at])[0]]
    assert zlib.decompress(content.partition(b"\0")[2][1:]) == profile
    assert notes == []
    as_jpeg, notes = write_annotated(source, tmp_path / "out.jpg")
    assert profile in as_jpeg.read_bytes()
    assert notes == []
    assert write_annotated(source, tmp_path / "out.bmp")[1] == ["BMP does not keep the ICC profile"]


def test_an_hdr_picture_is_written_as_png_by_default(tmp_path: Path) -> None:
    tiles = [clips.picture(5, (64, 64))]
    nclx = box(b"colr", b"nclx" + struct.pack(">HHHB", 9, 16, 9, 0x80))
    hdr = write_heif(tmp_path / "hdr.heic", tiles, Written(grid=None, properties=[nclx]))
    assert suffix_for(str(hdr)) == ".png"
    assert suffix_for(str(write_heif(tmp_path / "a.heic", tiles, Written(grid=None)))) == ".jpg"
    made, notes = write_annotated(hdr, tmp_path / "out.png")
    assert notes == []
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0))
    assert (int(frame.color_primaries), int(frame.color_trc)) == (9, 16)
    (pale,) = write_annotated(hdr, tmp_path / "out.jpg")[1]
    assert "HDR" in pale


def psnr(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("pix_fmt", ["rgba", "ya8", "rgba64be"])
def test_boxes_are_visible_on_a_transparent_background(pix_fmt: str, suffix: str, tmp_path: Path) -> None:
    clear = av.VideoFrame.from_ndarray(np.zeros((48, 64, 4), np.uint8), "rgba").reformat(format=pix_fmt)
    context: Any = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 64, 48, pix_fmt, Fraction(1, 25)
    content = b"".join(bytes(packet) for packet in [*context.encode(clear), *context.encode(None)])
    (tmp_path / "clear.png").write_bytes(content)
    made, _ = write_annotated(tmp_path / "clear.png", tmp_path / f"out{suffix}", box=(10, 10, 40, 40))
    alpha = rgb_of(made, "rgba")[..., 3]
    assert (alpha[10, 10:40] == 255).all()
    assert alpha[25, 25] == alpha[2, 2] == 0
