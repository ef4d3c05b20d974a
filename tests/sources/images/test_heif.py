"""HEIC and AVIF stills: tiles are joined to an upright image, or one line has the reason."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.errors import SourceUnavailable
from streamer.sources.file.file import FileSource
from streamer.sources.images.heif import read_still
from streamer.sources.images.images import ImageSource, read_image
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.network.recorded import RecordedSource
from streamer.sources.probe.probe import probe
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from tests.clips import UInt8Array, picture, write_picture, write_video
from tests.sources.decode.box_editing import box, clean_aperture
from tests.sources.decode.test_orientation import samples
from tests.sources.images.heif_writing import Written, full, imir, irot, write_heif
from tests.sources.network.web_server import serving

TILE = 96, 64
UPRIGHT = picture(333, (192, 128))


def cut(rgb: UInt8Array, columns: int, rows: int) -> list[UInt8Array]:
    """The tiles of an image row by row; those at the right and the bottom are padded with black."""
    width, height = TILE
    whole = np.zeros((rows * height, columns * width, 3), np.uint8)
    whole[: rgb.shape[0], : rgb.shape[1]] = rgb[: whole.shape[0], : whole.shape[1]]
    return [
        np.ascontiguousarray(whole[y * height : (y + 1) * height, x * width : (x + 1) * width])
        for y in range(rows)
        for x in range(columns)
    ]


def planes(frame: av.VideoFrame) -> list[UInt8Array]:
    return [samples(frame, plane)[..., 0] for plane in range(len(frame.planes))]


def native(rgb: UInt8Array) -> list[UInt8Array]:
    """The planes that a lossless encoder keeps."""
    return planes(av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p", dst_color_range=1))


@pytest.mark.parametrize(
    ("grid", "size"),
    [((2, 2), (192, 128)), ((3, 2), (250, 101)), ((1, 3), (77, 130)), ((1, 1), (96, 64))],
    ids=["whole tiles", "overhanging tiles", "odd", "one tile under a grid"],
)
@pytest.mark.parametrize("in_idat", [False, True], ids=["mdat", "idat"])
def test_the_tiles_of_a_grid_are_joined(
    grid: tuple[int, int], size: tuple[int, int], in_idat: bool, tmp_path: Path
) -> None:
    shown = picture(77, (grid[0] * TILE[0], grid[1] * TILE[1]))
    tiles = cut(shown, *grid)
    made, ratio = read_image(write_heif(tmp_path / "a.heic", tiles, Written(grid=grid, size=size, in_idat=in_idat)))
    assert (made.width, made.height, made.format.name) == (*size, "yuv420p")
    assert ratio == 1
    parts = [native(tile) for tile in tiles]
    for index, plane in enumerate(planes(made)):
        shared = 2 if index else 1
        rows = [
            np.hstack([part[index] for part in parts[row : row + grid[0]]]) for row in range(0, len(parts), grid[0])
        ]
        whole = np.vstack(rows)
        assert np.array_equal(plane, whole[: -(-size[1] // shared), : -(-size[0] // shared)])


def test_a_still_of_one_item_is_not_its_thumbnail(tmp_path: Path) -> None:
    path = write_heif(tmp_path / "a.heic", [UPRIGHT], Written(grid=None))
    for plane, whole in zip(planes(read_image(path)[0]), native(UPRIGHT), strict=True):
        assert np.array_equal(plane, whole)


@pytest.mark.parametrize("grid", [None, (2, 2)], ids=["one item", "grid"])
def test_avif(grid: tuple[int, int] | None, tmp_path: Path) -> None:
    tiles = cut(UPRIGHT, *grid) if grid else [UPRIGHT]
    path = write_heif(tmp_path / "a.avif", tiles, Written("av1", grid=grid, properties=[irot(2)]))
    made, _ = read_image(path)
    assert (made.width, made.height) == (192, 128)
    difference = np.abs(planes(made)[0].astype(int) - native(UPRIGHT)[0][::-1, ::-1])
    assert difference.mean() < 2


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("mirrored_first", [False, True], ids=["turned first", "mirrored first"])
def test_turned_and_mirrored_in_the_order_of_the_properties(
    quarters: int, axis: int | None, mirrored_first: bool, tmp_path: Path
) -> None:
    steps = [("turn", irot(quarters)), *([("mirror", imir(axis))] if axis is not None else [])]
    steps = steps[::-1] if mirrored_first else steps
    expected = native(UPRIGHT)[0]
    for step, _ in steps:
        expected = np.rot90(expected, quarters) if step == "turn" else expected[:, ::-1] if axis else expected[::-1]
    how = Written(properties=[content for _, content in steps], thumbnail=False)
    made, _ = read_image(write_heif(tmp_path / "a.heic", cut(UPRIGHT, 2, 2), how))
    assert np.array_equal(planes(made)[0], expected)


@pytest.mark.parametrize("grid", [None, (2, 2)], ids=["one item", "grid"])
@pytest.mark.parametrize("properties", [[], [irot(3)]], ids=["upright", "turned"])
def test_the_exif_orientation_is_not_applied(
    grid: tuple[int, int] | None, properties: list[bytes], tmp_path: Path
) -> None:
    tiles = cut(UPRIGHT, *grid) if grid else [UPRIGHT]
    how = Written(grid=grid, properties=properties, exif=6)
    made, _ = read_image(write_heif(tmp_path / "a.heic", tiles, how))
    assert np.array_equal(planes(made)[0], np.rot90(native(UPRIGHT)[0], 3 if properties else 0))


def test_a_clean_aperture_is_applied_before_the_rotation(tmp_path: Path) -> None:
    clap = clean_aperture("100/1", "60/1", "-6/1", "2/1")  # 40 from the left, 36 from the top
    how = Written(properties=[clap, irot(1)], size=(192, 128))
    made, _ = read_image(write_heif(tmp_path / "a.heic", cut(UPRIGHT, 2, 2), how))
    assert np.array_equal(planes(made)[0], np.rot90(native(UPRIGHT)[0][36:96, 40:140]))


def test_colours_are_those_of_the_file_or_srgb(tmp_path: Path) -> None:
    nclx = box(b"colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 0x80))
    told, _ = read_image(write_heif(tmp_path / "a.heic", cut(UPRIGHT, 2, 2), Written(properties=[nclx])))
    tags = [int(tag) for tag in (told.color_primaries, told.color_trc, told.colorspace, told.color_range)]
    assert tags == [9, 16, 9, 2]
    untold, _ = read_image(write_heif(tmp_path / "b.heic", cut(UPRIGHT, 2, 2)))
    assert [int(tag) for tag in (untold.color_primaries, untold.color_trc, untold.colorspace)] == [1, 13, 6]


def read(source: object) -> list[Frame]:
    assert isinstance(source, ImageSource)
    with source:
        return list(source)


@pytest.mark.parametrize("name", ["IMG[1].heic", "a photo.HEIC", "IMG_%04d.heic"])
def test_a_still_is_a_source_of_one_frame(name: str, tmp_path: Path) -> None:
    path = write_heif(tmp_path / name, cut(UPRIGHT, 2, 2), Written(properties=[irot(1)]))
    (frame,) = read(open_source(str(path)))
    assert (frame.width, frame.height, frame.pts, frame.time_base) == (128, 192, 0, Fraction(1, 25))
    video = probe(str(path)).streams[0].video
    assert video is not None
    assert (video.width, video.height) == (128, 192)


def test_stills_among_other_images_of_a_folder(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", 1, size=(192, 128))
    write_heif(tmp_path / "2.heic", cut(UPRIGHT, 2, 2))
    write_heif(tmp_path / "3.avif", cut(UPRIGHT, 2, 2), Written("av1", properties=[irot(1)]))
    frames = read(ImageSource(tmp_path))
    assert [(frame.width, frame.height, frame.pts) for frame in frames] == [(192, 128, 0), (192, 128, 1), (128, 192, 2)]
    assert np.array_equal(planes(frames[1].picture)[0], native(UPRIGHT)[0])


def test_a_broken_tile_is_damage_of_the_folder(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", 1)
    whole = write_heif(tmp_path / "2.heic", cut(UPRIGHT, 2, 2), Written(thumbnail=False)).read_bytes()
    (tmp_path / "2.heic").write_bytes(whole[: whole.index(b"mdat") + 200])
    with ImageSource(tmp_path) as source:
        assert len(list(source)) == 1
        (damage,) = source.take_damage()
    assert damage.cause == "decode error"
    assert "2.heic" in damage.detail


def test_unsupported_stills_are_refused_with_a_line(tmp_path: Path) -> None:
    tiles = cut(UPRIGHT, 2, 2)
    overlay = write_heif(tmp_path / "overlay.heic", tiles, Written(kind=b"iovl"))
    with pytest.raises(SourceUnavailable, match=r"overlay.heic: .* its type 'iovl' is not supported"):
        open_source(str(overlay))
    unlike = write_heif(tmp_path / "unlike.heic", [*tiles[:3], np.ascontiguousarray(tiles[3][:, :64])])
    with pytest.raises(SourceUnavailable, match=r"unlike.heic: its tiles have different sizes or formats"):
        read_image(unlike)
    few = write_heif(tmp_path / "few.heic", tiles, Written(size=(193, 128)))
    with pytest.raises(SourceUnavailable, match=r"few.heic: its tiles do not cover 193x128"):
        read_image(few)
    turned = write_heif(tmp_path / "turned.heic", tiles, Written(properties=[irot(1), clean_aperture("10/1", "10/1")]))
    with pytest.raises(SourceUnavailable, match="cropped after it is turned"):
        read_image(turned)


def test_a_tile_is_never_returned_as_the_image(tmp_path: Path) -> None:
    path = write_heif(tmp_path / "a.heic", cut(UPRIGHT, 2, 2))
    with pytest.raises(SourceUnavailable, match="image of tiles"):
        FileSource(path).__enter__()
    with serving(tmp_path) as address, pytest.raises(SourceUnavailable, match="download it first"):
        RecordedSource(NetworkConnector(f"{address}/a.heic")).__enter__()


def test_any_damage_of_the_index_gives_a_line(tmp_path: Path) -> None:
    whole = write_heif(tmp_path / "a.heic", cut(UPRIGHT, 2, 2), Written(properties=[irot(1)], exif=6)).read_bytes()
    path = tmp_path / "damaged.heic"
    lines = []
    for at in range(24, whole.index(b"mdat"), 4):
        for value in (0, 255):
            path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            try:
                read_still(path)
            except SourceUnavailable as error:
                lines.append(str(error))
    assert len(lines) > 30
    assert not any("\n" in line for line in lines)


def test_an_index_with_a_wrong_count_is_refused(tmp_path: Path) -> None:
    path = write_heif(tmp_path / "a.heic", cut(UPRIGHT, 2, 2))
    data = bytearray(path.read_bytes())
    data[data.index(b"ipma") + 11] += 1  # the count of items with properties is too high
    path.write_bytes(data)
    with pytest.raises(SourceUnavailable, match="its index is damaged"):
        read_still(path)


def test_videos_and_other_files_are_not_stills(tmp_path: Path) -> None:
    assert read_still(write_video(tmp_path / "a.mp4", frames=1)) is None
    assert read_still(write_picture(tmp_path / "a.png")) is None
    assert read_still(write_video(tmp_path / "a.avif", codec="libsvtav1", frames=3, container_format="avif")) is None
    assert isinstance(open_source(str(tmp_path / "a.avif")), FileSource)
    (tmp_path / "short").write_bytes(b"\0\0")
    assert read_still(tmp_path / "short") is None
    assert read_still(tmp_path / "missing") is None
    audio = full(b"meta", 0, 0, full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"mdir"), b"\0"))
    (tmp_path / "tags").write_bytes(box(b"ftyp", b"M4A ", bytes(4)) + audio)
    assert read_still(tmp_path / "tags") is None
