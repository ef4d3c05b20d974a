"""Folders and patterns of images."""

from __future__ import annotations

import random
import struct
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError, SourceUnavailable
from streamer.sources.decode.stream_facts import exact_fps
from streamer.sources.images.files import find_images, is_still, natural_key
from streamer.sources.images.images import ImageSource, read_image
from streamer.sources.selection import open_source
from tests import clips


def numbers(source: ImageSource) -> list[int]:
    with source:
        return [clips.read_number(frame.picture) for frame in source]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """img1.png, img2.png, img10.png and files that are not images."""
    for number in (10, 2, 1):
        clips.write_picture(tmp_path / f"img{number}.png", number)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".img3.png").write_text("hidden")
    (tmp_path / "img4.png").mkdir()
    return tmp_path


def test_a_folder_is_read_in_natural_order(folder: Path) -> None:
    assert numbers(ImageSource(folder)) == [1, 2, 10]


@pytest.mark.parametrize(
    ("pattern", "expected"), [("img*.png", [1, 2, 10]), ("img?.png", [1, 2]), ("img%d.png", [1, 2, 10])]
)
def test_patterns(pattern: str, expected: list[int], folder: Path) -> None:
    assert numbers(ImageSource(str(folder / pattern))) == expected


def test_frames_have_the_names_of_their_pictures(folder: Path) -> None:
    (folder / "deeper").mkdir()
    clips.write_picture(folder / "deeper/a.png", 3)
    for uri, names in {
        str(folder): ["img1.png", "img2.png", "img10.png"],
        f"{folder}/**/*.png": ["deeper/a.png", "img1.png", "img2.png", "img10.png"],
        f"{folder}/img2.png": ["img2.png"],
    }.items():
        with open_source(uri) as source:
            assert [frame.file for frame in source] == names
            assert [Path(file).name for file in source.info.files] == [Path(name).name for name in names]


def test_animations_are_no_pictures(tmp_path: Path) -> None:
    assert is_still(clips.write_picture(tmp_path / "a.png", 1))
    assert is_still(clips.write_picture(tmp_path / "a.webp", 1))
    animated = clips.write_video(tmp_path / "b.png", codec="apng", pix_fmt="rgb24", container_format="apng", frames=2)
    assert not is_still(animated)
    assert not is_still(clips.write_video(tmp_path / "clip.mp4", frames=2).rename(tmp_path / "clip.jpg"))
    with open_source(str(animated)) as source:
        assert [frame.file for frame in source] == ["", ""]


def test_times_are_exact(folder: Path) -> None:
    with ImageSource(folder, fps="30000/1001") as source:
        frames = list(source)
        info = source.info
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(1001 * k, 30000) for k in range(3)]
    assert (info.frame_count, info.average_fps) == (3, Fraction(30000, 1001))
    assert info.duration_s == pytest.approx(3 * 1001 / 30000)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm"])
def test_every_common_format_in_its_native_pixels(suffix: str, tmp_path: Path) -> None:
    path = clips.write_picture(tmp_path / f"a{suffix}", 333, size=(201, 151) if suffix != ".webp" else (200, 150))
    picture, ratio = read_image(path)
    assert clips.read_number(picture) == 333
    assert ratio == 1
    assert (picture.format.name == "rgb24") == (suffix in (".png", ".tif", ".ppm"))


def test_an_unreadable_image_is_damage_and_leaves_its_time_empty(folder: Path) -> None:
    (folder / "img2.png").write_bytes((folder / "img2.png").read_bytes()[:60])
    (folder / "img5.png").write_text("text")
    with ImageSource(folder) as source:
        frames = list(source)
        damage = source.take_damage()
    assert [(frame.index, frame.pts) for frame in frames] == [(0, 0), (1, 3)]
    assert [(lost.cause, lost.frames) for lost in damage] == [("decode error", 1)] * 2
    assert "img2.png" in damage[0].detail
    assert "img5.png" in damage[1].detail


def test_another_size_or_format_starts_a_segment(tmp_path: Path) -> None:
    clips.write_picture(tmp_path / "1.png", 1)
    clips.write_picture(tmp_path / "2.png", 2, size=(80, 60))
    clips.write_picture(tmp_path / "3.png", 3, size=(80, 60))
    clips.write_picture(tmp_path / "4.jpg", 4, size=(80, 60))
    with ImageSource(tmp_path) as source:
        frames = list(source)
    assert [frame.segment for frame in frames] == [0, 1, 1, 2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    # EXIF 2.32, 4.6.4: the position of row 0 and column 0; `turned` undoes rotation and then flip.
    rotation, flip = {
        1: (0, None),
        2: (0, "horizontal"),
        3: (180, None),
        4: (0, "vertical"),
        5: (90, "vertical"),
        6: (270, None),
        7: (90, "horizontal"),
        8: (90, None),
    }[orientation]
    stored = clips.turned(clips.picture(77, (160, 120)), rotation, flip)  # type: ignore[arg-type]
    plain = clips.write_picture(tmp_path / "plain.jpg", rgb=stored)
    directory = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0) + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(directory) + 8) + b"Exif\0\0" + directory
    tagged = tmp_path / "tagged.jpg"
    tagged.write_bytes(plain.read_bytes()[:2] + segment + plain.read_bytes()[2:])
    picture, _ = read_image(tagged)
    assert (picture.width, picture.height) == (160, 120)
    assert clips.read_number(picture) == 77
    grey = picture.reformat(format="gray").to_ndarray()
    assert grey[-10:, :20].mean() > 200  # the bright square, lower left
    assert picture.rotation == 0


def test_a_pattern_without_images_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    for pattern in (str(tmp_path), str(tmp_path / "*.png"), str(tmp_path / "%03d.png"), str(tmp_path / "notes.*")):
        with pytest.raises(SourceUnavailable, match="no image"):
            find_images(pattern)


def test_a_folder_without_readable_images_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("text")
    with pytest.raises(SourceUnavailable, match=r"none of its 1 images"):
        ImageSource(tmp_path).__enter__()


@pytest.mark.parametrize("fps", ["0", "-5", "fast", "", "1/0", "nan", "inf", float("nan")])
def test_a_bad_rate_is_a_setting_error(fps: str | float) -> None:
    with pytest.raises(ConfigError, match="fps"):
        ImageSource("folder", fps=fps)


@pytest.mark.parametrize(
    ("fps", "exact"), [("25", 25), (29.97, Fraction(2997, 100)), (" 30000/1001 ", Fraction(30000, 1001))]
)
def test_rates_are_exact(fps: str | float, exact: Fraction) -> None:
    assert exact_fps(fps) == exact


@given(counts=st.lists(st.integers(0, 10**9), unique=True), stem=st.text("abcXYZ._-", max_size=5))
def test_natural_order_follows_the_numbers(counts: list[int], stem: str) -> None:
    shuffled = [f"{stem}{count}.png" for count in counts]
    random.Random(0).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == [f"{stem}{count}.png" for count in sorted(counts)]


@given(names=st.lists(st.text(max_size=8)))
def test_the_order_of_names_does_not_depend_on_the_input_order(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)
