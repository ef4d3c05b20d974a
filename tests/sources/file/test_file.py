"""Intact video files: every frame, upright, with its own time, and no losses."""

from __future__ import annotations

import logging
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.file.file import FileSource
from streamer.values.frame import Frame
from tests import clips
from tests.system.permissions import as_an_ordinary_user


def read(path: Path, **options: Any) -> tuple[StreamInfo, list[Frame], list[Damage]]:
    with FileSource(path, **options) as source:
        frames = list(source)
        return source.info, frames, source.take_damage()


def plain_times(path: Path) -> list[int | None]:
    """The times of a plain decoding loop."""
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


REORDERED = {"preset": "medium", "bf": "3"}
KINDS: dict[str, dict[str, Any]] = {
    "plain.mp4": {},
    "reordered.mp4": {"options": REORDERED},
    "faststart.mp4": {"options": REORDERED, "container_options": {"movflags": "faststart"}},
    "fragmented.mp4": {"options": REORDERED, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "everything.mp4": {"audio": True, "subtitles": True, "cover": True, "chapters": [("one", 0, 1)]},
    "everything.mkv": {"audio": True, "subtitles": True, "cover": True},
    "hidden_start.mp4": {"start_pts": -2 * 512},
    "variable.mp4": {"pts": [0, 100, 1000, 1001, 5000, 90000]},
    "held_last.mkv": {"pts": [0, 512, 1024, 128000]},
    "negative.ts": {"start_pts": -4 * 512, "audio": True},
    "negative.wmv": {"codec": "wmv2", "start_pts": -4 * 512},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le"},
    "odd.mkv": {"codec": "ffv1", "size": (161, 121)},
    "odd444.mp4": {"pix_fmt": "yuv444p", "size": (161, 121)},
    "interlaced.mp4": {"interlaced": True},
    "interlaced.mpg": {"codec": "mpeg2video", "interlaced": True},
    "one.mp4": {"frames": 1},
    "one.avi": {"codec": "mpeg4", "frames": 1},
    "live.mkv": {"container_options": {"live": "1"}},
    "hevc.mp4": {"codec": "libx265"},
    "vp8.webm": {"codec": "libvpx", "audio": True, "options": {"cpu-used": "8", "deadline": "realtime"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "sound.avi": {"codec": "mpeg4", "audio": True},
    "motion.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "lossless.avi": {"codec": "huffyuv", "pix_fmt": "yuv422p"},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "flash.flv": {"options": REORDERED},
    "phone.3gp": {"codec": "h263", "size": (176, 144)},
    "raw.y4m": {"codec": "rawvideo"},
    "any.nut": {"codec": "ffv1"},
    "broadcast.mxf": {"codec": "mpeg2video"},
    "moving.gif": {"codec": "gif", "pix_fmt": "rgb8"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_of_an_intact_file_with_its_own_time(kind: str, tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / kind, **({"frames": 12} | KINDS[kind]))
    info, frames, damage = read(path)
    assert [frame.pts for frame in frames] == plain_times(path)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    first = clips.read_number(frames[0].picture)
    assert [clips.read_number(frame.picture) for frame in frames] == list(range(first, first + len(frames)))
    assert damage == []
    assert not any(frame.corrupt for frame in frames)
    assert info.frame_count in (None, len(frames))
    assert info.path == str(path)


def test_times_are_as_written(tmp_path: Path) -> None:
    times = [0, 100, 1000, 1001, 5000]
    info, frames, _ = read(clips.write_video(tmp_path / "v.mp4", pts=times))
    assert info.time_base == Fraction(1, 12800)
    assert [frame.pts for frame in frames] == times
    assert [frame.duration for frame in frames[:-1]] == [100, 900, 1, 3999]


def test_frames_before_the_start_of_an_edit_list_are_not_lost(tmp_path: Path) -> None:
    info, frames, damage = read(clips.write_video(tmp_path / "v.mp4", start_pts=-2 * 512, frames=10))
    assert [clips.read_number(frame.picture) for frame in frames] == list(range(2, 10))
    assert (info.frame_count, damage) == (8, [])


@pytest.mark.parametrize("kind", ["v.avi", "v.h264"])
def test_untimed_reordered_frames_get_evenly_rising_times(kind: str, tmp_path: Path) -> None:
    info, frames, damage = read(clips.write_video(tmp_path / kind, options=REORDERED))
    step = Fraction(1, 25) / info.time_base
    assert [frame.pts for frame in frames] == [k * step for k in range(25)]
    assert [clips.read_number(frame.picture) for frame in frames] == list(range(25))
    assert damage == []


def test_untimed_frames_of_a_program_stream_are_interpolated(tmp_path: Path) -> None:
    _, frames, _ = read(clips.write_video(tmp_path / "v.mpg", codec="mpeg2video", options={"bf": "2"}))
    assert [frame.pts - frames[0].pts for frame in frames] == [k * 3600 for k in range(25)]


def test_threads_do_not_change_a_sample(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "v.mp4", options=REORDERED)
    _, one, _ = read(path, threads=1)
    _, several, _ = read(path, threads=3)
    assert [frame.rgb().tobytes() for frame in one] == [frame.rgb().tobytes() for frame in several]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "is_like"),
    [
        ("motion.avi", "mjpeg", "yuvj422p", True),
        ("animation.mov", "png", "rgb24", True),
        ("full.mp4", "libx264", "yuvj420p", False),
        ("prores.mov", "prores_ks", "yuv422p10le", False),
        ("exact.mkv", "ffv1", "bgr0", False),
    ],
)
def test_codecs_of_still_images_are_jpeg_like(
    name: str, codec: str, pix_fmt: str, is_like: bool, tmp_path: Path
) -> None:
    path = clips.write_video(tmp_path / name, codec=codec, pix_fmt=pix_fmt, frames=2)
    assert read(path)[0].jpeg_like is is_like


@pytest.mark.parametrize("flip", [None, "horizontal", "vertical"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_frames_are_upright_and_bit_exact(rotation: int, flip: clips.Flip | None, tmp_path: Path) -> None:
    path = clips.write_video(
        tmp_path / "v.mp4",
        frames=4,
        pix_fmt="yuv444p",
        options={"qp": "0"},
        rotation=rotation,
        flip=flip,
        sample_aspect_ratio=Fraction(4, 3),
        colour=clips.Colour(9, 16, 9, 1),
    )
    info, frames, damage = read(path)
    assert (info.width, info.height, info.pixel_format) == (160, 120, "yuv444p")
    assert info.sample_aspect_ratio == (Fraction(3, 4) if rotation % 180 else Fraction(4, 3))
    assert info.colour == (9, 16, 9, 1)
    with av.open(str(path)) as container:
        stored = [frame.to_ndarray() for frame in container.decode(video=0)]
    for frame, planes in zip(frames, stored, strict=True):
        assert clips.read_number(frame.picture) == frame.index
        assert frame.picture.pts == frame.pts == frame.index * 512
        assert frame.picture.time_base == frame.time_base
        picture = frame.picture
        tags = (picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range)
        assert tags == (9, 16, 9, 1)
        assert picture.rotation == 0
        back = np.stack([clips.turned(plane, rotation, flip) for plane in picture.to_ndarray()])
        assert np.array_equal(back, planes)
    assert damage == []


def test_a_quarter_turn_of_422_is_converted_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = clips.write_video(tmp_path / "v.mp4", frames=3, pix_fmt="yuv422p", options={"qp": "0"}, rotation=90)
    with caplog.at_level(logging.WARNING):
        info, frames, _ = read(path)
    assert info.pixel_format == "yuv444p"
    assert [clips.read_number(frame.picture) for frame in frames] == [0, 1, 2]
    assert len([record for record in caplog.records if "yuv422p" in record.message]) == 1


def test_an_oblique_matrix_is_rounded_to_a_quarter_turn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "v.mp4"
    clips.write_video(path, frames=2, rotation=90)
    content = path.read_bytes()
    one, cosine, sine = 65536, 11380, 64540  # of 80 degrees, in 16.16 fixed point
    quarter, oblique = struct.pack(">5i", 0, -one, 0, one, 0), struct.pack(">5i", cosine, -sine, 0, sine, cosine)
    assert content.count(quarter) == 1
    path.write_bytes(content.replace(quarter, oblique))
    with caplog.at_level(logging.WARNING):
        _, frames, _ = read(path)
    assert [clips.read_number(frame.picture) for frame in frames] == [0, 1]
    assert any("nearest quarter turn" in record.message for record in caplog.records)


def test_a_change_of_size_starts_a_segment(tmp_path: Path) -> None:
    small = clips.write_video(tmp_path / "a.h264", frames=5)
    large = clips.write_video(tmp_path / "b.h264", frames=5, size=(320, 240))
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    info, frames, damage = read(both)
    assert [frame.segment for frame in frames] == [0] * 5 + [1] * 5 + [2] * 5
    assert [frame.width for frame in frames] == [160] * 5 + [320] * 5 + [160] * 5
    assert (info.width, damage) == (160, [])


def test_fields_and_tags_are_in_the_info(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "v.mp4", interlaced=True, colour=clips.Colour(1, 1, 1, 1), frames=3)
    info, frames, _ = read(path)
    assert (info.field_order, info.colour) == (2, (1, 1, 1, 1))
    assert all(frame.picture.interlaced_frame for frame in frames)
    assert info.bit_rate is not None
    assert info.bit_rate > 0
    assert info.duration_s == pytest.approx(0.12)


def test_cover_art_is_not_taken_for_the_video(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "v.mkv", cover=True, frames=3, audio=True)
    info, frames, _ = read(path)
    assert (info.width, len(frames)) == (160, 3)


@pytest.mark.parametrize("name", ["a:b.mp4", "100%03d.mp4", "a[1]*.mp4", "späce ü.mp4", "-"])
def test_any_file_name_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clips.write_video(tmp_path / "v.mp4", frames=2).rename(tmp_path / name)
    assert len(read(Path(name))[1]) == 2


BAD: dict[str, str] = {
    "missing.mp4": "no such file",
    "folder.mp4": "directory",
    "empty.mp4": "empty",
    "text.mp4": "not a video",
    "notes.txt": "text file, not a video",
    "noise.mkv": "not a video",
    "sound.wav": "no video",
    "music.mp4": "no video",
    "no_frames.avi": "no frame of it can be decoded",
    "no_frames.mkv": "not a video",
    "no_frames.mp4": "no video",
    "no_index.mp4": "truncated before its index",
    "secret.mp4": "permissions",
    "nul\0.mp4": "no such file",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    if name.startswith("no_frames"):
        clips.write_video(path, frames=0, codec="mpeg4")
    elif name == "no_index.mp4":
        clips.truncate(clips.write_video(tmp_path / "whole.mp4"), path, 0.6)
    elif name == "music.mp4":
        clips.write_audio(path, cover=True)
    elif name == "sound.wav":
        clips.write_audio(path)
    elif name == "folder.mp4":
        path.mkdir()
    elif name in ("text.mp4", "notes.txt"):
        path.write_text("this is not a video\n" * 50)
    elif name == "noise.mkv":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif name == "empty.mp4":
        path.touch()
    elif name == "secret.mp4":
        clips.write_video(path, frames=1).chmod(0)
    with pytest.raises(SourceUnavailable, match=BAD[name]) as caught:
        as_an_ordinary_user(FileSource(path).__enter__)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_with_another_frame_rate_the_start_is_kept(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "v.ts", frames=10, start_pts=30_000)
    info, frames, _ = read(path, fps=50)
    plain, own, _ = read(path)
    assert info.start == plain.start > 2
    first_s, own_first_s = frames[0].pts * info.time_base, own[0].pts * plain.time_base
    assert abs(first_s - own_first_s) <= info.time_base / 2
    assert [frame.pts - frames[0].pts for frame in frames] == list(range(10))
