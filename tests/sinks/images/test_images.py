"""The sink for pictures: one file, a folder, numbered files."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.output import OutputEntry
from streamer.errors import ConfigError, SinkError, SinkUnavailable
from streamer.features import SinkContext
from streamer.interfaces import Sink
from streamer.sinks.images.images import ImageSink
from streamer.sinks.selection import open_sink, sink_class
from tests import clips
from tests.sinks.images.writing import write_annotated
from tests.sinks.scenes import info, scene
from tests.system.permissions import as_an_ordinary_user


def sink_for(to: str | Path, *, overwrite: bool = False, **more: object) -> Sink:
    return open_sink(OutputEntry(to=str(to)), SinkContext(info(**more), overwrite=overwrite))  # type: ignore[arg-type]


def write(sink: Sink, frames: int = 3, error: BaseException | None = None) -> None:
    with sink:
        for k in range(frames):
            sink.write(scene(k, k))
        if error is not None:
            raise error


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "to", ["photo.jpg", "photo.PNG", "a.webp", "a.tiff", "a.bmp", "shots/", "shots/%06d.jpg", "%d.png"]
)
def test_pictures_are_written_to_names_of_pictures_and_folders(to: str) -> None:
    assert sink_class(OutputEntry(to=to)) is ImageSink


@pytest.mark.parametrize(
    "to", ["clip.mp4", "clip.gif", "rec/%Y%m%d-%H%M%S.mp4", "live/index.m3u8", "http://:8080/a.jpg"]
)
def test_other_outputs_are_left_to_other_sinks(to: str) -> None:
    assert sink_class(OutputEntry(to=to)) is not ImageSink


def test_the_frames_of_a_video_are_numbered_from_one(tmp_path: Path) -> None:
    write(sink_for(f"{tmp_path}/shots/"))
    assert names(tmp_path) == ["shots/000001.jpg", "shots/000002.jpg", "shots/000003.jpg"]
    write(sink_for(tmp_path / "deep/er/s%02d.png"))
    assert names(tmp_path / "deep") == ["er/s01.png", "er/s02.png", "er/s03.png"]


def test_pictures_of_a_folder_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b 2.jpg", "b 10.JPG".lower(), "c.ppm"):
        clips.write_picture(tmp_path / "in" / name, 3)
    clips.write_picture(tmp_path / "in/c.png", 4)
    write_annotated(tmp_path / "in", f"{tmp_path}/out/")
    assert names(tmp_path / "out") == ["a.png", "b 10.jpg", "b 2.jpg", "c.png", "c.ppm.png"]


def test_pictures_of_several_folders_keep_their_folders(tmp_path: Path) -> None:
    for folder in ("in/one", "in/two"):
        (tmp_path / folder).mkdir(parents=True)
        clips.write_picture(tmp_path / folder / "a.png", 3)
    write_annotated(f"{tmp_path}/in/**/*.png", f"{tmp_path}/out/")
    assert names(tmp_path / "out") == ["one/a.png", "two/a.png"]


def test_pictures_that_exist_are_refused_with_their_names(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"{number:06d}.jpg").write_bytes(b"old")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SinkUnavailable, match=r"has 000001.jpg, 000002.jpg, 000003.jpg and 2 more already"):
        write(sink_for(f"{tmp_path}/"))
    write(sink_for(f"{tmp_path}/", overwrite=True), frames=1)
    assert (tmp_path / "000001.jpg").read_bytes() != b"old"


def test_a_folder_with_other_files_is_fine(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").touch()
    write(sink_for(f"{tmp_path}/"), frames=1)
    assert names(tmp_path) == ["000001.jpg", "cover.jpg"]


def test_pictures_are_not_written_where_they_are_read(tmp_path: Path) -> None:
    clips.write_picture(tmp_path / "a.png", 3)
    (tmp_path / "sub").mkdir()
    clips.write_picture(tmp_path / "sub/b.png", 3)
    for pattern, to in ((str(tmp_path), f"{tmp_path}/"), (f"{tmp_path}/**/*.png", f"{tmp_path}/sub/")):
        before = names(tmp_path)
        with pytest.raises(SinkUnavailable, match="another folder"):
            write_annotated(pattern, to)
        assert names(tmp_path) == before


def test_one_file_holds_one_picture(tmp_path: Path) -> None:
    write(sink_for(tmp_path / "one.jpg"), frames=1)
    assert names(tmp_path) == ["one.jpg"]
    with pytest.raises(SinkUnavailable, match=r"two.jpg holds one picture.*two/ or .*two-%06d.jpg"):
        write(sink_for(tmp_path / "two.jpg", frame_count=2))
    with pytest.raises(SinkUnavailable, match="holds one picture"):
        write(sink_for(tmp_path / "two.jpg", live=True))
    with pytest.raises(SinkError, match="holds one picture"):
        write(sink_for(tmp_path / "two.jpg"), frames=2)
    assert names(tmp_path) == ["one.jpg"]


def test_complete_pictures_stay_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write(sink_for(f"{tmp_path}/shots/"), frames=2, error=ZeroDivisionError())
    assert names(tmp_path) == ["shots/000001.jpg", "shots/000002.jpg"]
    with pytest.raises(ZeroDivisionError):
        write(sink_for(f"{tmp_path}/empty/"), frames=0, error=ZeroDivisionError())
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("to", ["%d-%d.jpg", "%d-%s.jpg"])
def test_a_pattern_has_one_number(to: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one number"):
        sink_for(tmp_path / to)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkUnavailable, match="cannot create"):
        write(sink_for(f"{tmp_path}/file/shots/"))


def test_frames_of_another_size_are_written_in_their_own_size(tmp_path: Path) -> None:
    with sink_for(f"{tmp_path}/") as sink:
        for k, size in enumerate([(64, 48), (31, 17), (64, 48)]):
            sink.write(scene(k, k, size=size))
    sizes = []
    for name in names(tmp_path):
        from streamer.sources.images.images import read_image

        picture, _ = read_image(tmp_path / name)
        sizes.append((picture.width, picture.height))
    assert sizes == [(64, 48), (31, 17), (64, 48)]


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    (tmp_path / "full.png").symlink_to("/dev/full")
    with pytest.raises(SinkError, match=r"full.png: No space left on device; free some space"):
        write(sink_for(tmp_path / "full.png"), frames=1)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkUnavailable, match="Permission denied"):
        as_an_ordinary_user(lambda: write(sink_for(f"{tmp_path}/")))
