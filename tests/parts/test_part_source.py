"""The frames of the parts are those of a run over the whole file, whatever the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamer.errors import ConfigError, SourceUnavailable
from streamer.parts.part_source import PartSource
from streamer.parts.plan import Plan
from streamer.parts.splitting import split as splitting
from tests.clips import corrupt, truncate, write_video
from tests.parts.identity import (
    OPEN_H264,
    OPEN_HEVC,
    assert_identical,
    facts,
    of_parts,
    planned,
    seeks,
    settings,
    whole,
)

SMALL = (96, 64)
B_FRAMES = {"g": "8", "bf": "2"}
VARIABLE = np.cumsum(np.random.default_rng(0).integers(100, 3000, 45)).tolist()
QUICK: dict[str, dict[str, Any]] = {
    "open.mp4": {"options": OPEN_H264},
    "open.ts": {"options": OPEN_H264, "audio": True},
    "cra.mkv": {"codec": "libx265", "options": OPEN_HEVC},
    "negative.ts": {"start_pts": -6400, "options": OPEN_H264},
    "intra.mp4": {"options": {"g": "1"}},
}
SLOW: dict[str, dict[str, Any]] = {
    "turned.mp4": {"rotation": 90, "options": OPEN_H264},
    "variable.mp4": {"pts": VARIABLE, "options": OPEN_H264},
    "open.mkv": {"options": OPEN_H264},
    "open.flv": {"options": OPEN_H264, "audio": True, "time_base": Fraction(1, 1000)},
    "open.nut": {"options": OPEN_H264},
    "fragmented.mp4": {"options": OPEN_H264, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "without-cues.mkv": {"options": OPEN_H264, "container_options": {"live": "1"}},
    "cra.mp4": {"codec": "libx265", "options": OPEN_HEVC},
    "cra.ts": {"codec": "libx265", "options": OPEN_HEVC},
    "ten-bit.mkv": {"codec": "libx265", "options": OPEN_HEVC, "pix_fmt": "yuv420p10le"},
    "variable.mkv": {"pts": VARIABLE, "options": OPEN_H264},
    "mirrored.mp4": {"rotation": 180, "flip": "horizontal", "options": OPEN_H264},
    "hidden-start.mp4": {"start_pts": -5120, "frames": 55, "options": OPEN_H264},
    "interlaced.ts": {"options": B_FRAMES, "interlaced": True},
    "interlaced-mpeg2.ts": {"codec": "mpeg2video", "options": B_FRAMES, "interlaced": True},
    "mpeg4.mp4": {"codec": "mpeg4", "options": B_FRAMES},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "8", "auto-alt-ref": "1", "lag-in-frames": "6"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "8", "lag-in-frames": "6", "cpu-used": "8"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "uncompressed.avi": {"codec": "rawvideo", "pix_fmt": "bgr24"},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "wide-pixels.ts": {"options": OPEN_H264, "sample_aspect_ratio": Fraction(4, 3)},
    "odd.mkv": {"options": OPEN_H264, "size": (98, 66)},
}
FROM_START: dict[str, dict[str, Any]] = {
    "raw.h264": {"options": OPEN_H264},
    "raw.hevc": {"codec": "libx265", "options": OPEN_HEVC},
    "raw.m2v": {"codec": "mpeg2video", "options": B_FRAMES},
    "program.mpg": {"codec": "mpeg2video", "options": B_FRAMES},
    "reordered.avi": {"options": OPEN_H264},
    "one-group.mp4": {"options": {"g": "250", "bf": "2"}},
    "old.wmv": {"codec": "wmv2", "options": {"g": "8"}},
    "animated.gif": {"codec": "gif", "pix_fmt": "rgb8"},
}
"""Files without times, or whose decoder cannot begin in the middle."""


@pytest.fixture
def least_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """One group of pictures before each part, and no more frames: so short clips are sought, too."""
    monkeypatch.setattr(splitting, "WARM_UP", 0)


def written(folder: Path, name: str, options: dict[str, Any]) -> Path:
    return write_video(folder / name, **{"frames": 45, "size": SMALL, **options})


@pytest.mark.usefixtures("least_overlap")
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_parts_have_the_frames_of_the_whole_file(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, (QUICK | SLOW)[name])
    assert_identical(path)
    assert seeks(planned(path, 7)) >= 3


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in FROM_START])
def test_other_files_are_read_from_their_start(tmp_path: Path, name: str) -> None:
    plan = assert_identical(written(tmp_path, name, FROM_START[name]))
    assert seeks(plan) == 0


@pytest.mark.usefixtures("least_overlap")
@pytest.mark.parametrize("name", ["open.mp4", "cra.mkv"])
def test_the_clips_have_open_groups(tmp_path: Path, name: str) -> None:
    """Otherwise the tests above prove little."""
    plan = planned(written(tmp_path, name, QUICK[name]), 5)
    assert max(part.seek.leading for part in plan.parts if part.seek is not None) > 0


def test_one_frame_is_one_part(tmp_path: Path) -> None:
    assert_identical(written(tmp_path, "one.mp4", {"frames": 1}))


@pytest.mark.slow
@pytest.mark.usefixtures("least_overlap")
@pytest.mark.parametrize(
    ("name", "assignment"),
    [
        ("open.mp4", "source.fps=10"),
        ("raw.h264", "source.fps=30000/1001"),
        ("interlaced.ts", "source.deinterlace=on"),
        ("interlaced.ts", "source.deinterlace=off"),
    ],
)
def test_settings_of_the_source_apply_to_parts(tmp_path: Path, name: str, assignment: str) -> None:
    assert_identical(written(tmp_path, name, (QUICK | SLOW | FROM_START)[name]), assignment)


def test_a_change_of_the_picture_size_is_read_from_the_start(tmp_path: Path) -> None:
    parts = [write_video(tmp_path / f"{k}.ts", frames=20, size=(96 + 32 * k, 64), options=OPEN_H264) for k in range(2)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    plan = assert_identical(joined, parts=(2, 7))
    assert seeks(plan) == 0  # the clock restarts


@pytest.mark.usefixtures("least_overlap")
def test_a_stream_that_recovers_slowly_is_read_from_the_start(tmp_path: Path) -> None:
    """Without keyframes, a decoder leaves out frames until each macroblock was refreshed."""
    options = {"g": "10", "x264-params": "intra-refresh=1:keyint=10:bframes=0"}
    path = write_video(tmp_path / "refreshed.mp4", frames=60, size=SMALL, options=options)
    found, restarts = of_parts(planned(path, 3))
    assert found == whole(path, settings())
    assert restarts > 0


# damage


def comparable(frames: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sorted by time, without numbers, and without the pixels of frames that the decoder flags as corrupt.

    The demuxer does not know which damaged packets become no frame. What a decoder has no data for it may fill with
    what happens to be in its memory. The join detects such frames itself.
    """
    return sorted((one[1:-1] + (() if one[6] else one[-1:]) for one in frames), key=str)


@pytest.mark.parametrize("name", ["open.ts", "open.mkv"])
@pytest.mark.slow
@pytest.mark.parametrize(("start", "end"), [(0.1, 0.11), (0.3, 0.302), (0.5, 0.56)])
def test_parts_of_a_damaged_file_have_its_frames(tmp_path: Path, name: str, start: float, end: float) -> None:
    whole_file = written(tmp_path, name, (QUICK | SLOW)[name] | {"frames": 200})
    path = corrupt(whole_file, tmp_path / f"damaged-{name}", start=start, end=end)
    expected = whole(path, settings())
    for parts in (2, 7):
        found, _ = of_parts(planned(path, parts))
        assert comparable(found) == comparable(expected)


@pytest.mark.parametrize("name", ["open.ts", "cra.mkv"])
def test_parts_of_a_truncated_file_have_its_frames(tmp_path: Path, name: str) -> None:
    path = truncate(written(tmp_path, name, QUICK[name]), tmp_path / f"short-{name}", 0.7)
    expected = whole(path, settings())
    assert comparable(of_parts(planned(path, 7))[0]) == comparable(expected)


@pytest.mark.usefixtures("least_overlap")
def test_damage_before_a_part_is_read_from_the_start(tmp_path: Path) -> None:
    path = written(tmp_path, "clip.mkv", {"options": {"g": "10"}, "frames": 60})
    content = bytearray(path.read_bytes())
    before = planned(path, 3)
    at = content.index(packet_of(path, before.parts[2].seek.pts + 80))  # type: ignore[union-attr]
    content[at + 8 : at + 60] = bytes(52)  # the demuxer does not notice
    path.write_bytes(content)
    plan = planned(path, 3)
    found, restarts = of_parts(plan)
    assert comparable(found) == comparable(whole(path, settings()))
    assert restarts == 1


def packet_of(path: Path, pts: int) -> bytes:
    """The data of the packet with this time."""
    with av.open(str(path)) as container:
        return next(bytes(packet) for packet in container.demux() if packet.pts == pts)


# a file that is not as planned


def changed(plan: Plan, number: int, **fields: Any) -> Plan:
    """A plan whose part seeks to another place."""
    part = plan.parts[number]
    assert part.seek is not None
    seek = part.seek.model_copy(update=fields)
    parts = [*plan.parts]
    parts[number] = part.model_copy(update={"seek": seek})
    return plan.model_copy(update={"parts": tuple(parts)})


@pytest.mark.usefixtures("least_overlap")
@pytest.mark.parametrize("fields", [{"digest": "00" * 16}, {"pts": 7}, {"target": 10**9, "pts": 10**9}])
def test_a_seek_that_finds_other_packets_reads_from_the_start(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = written(tmp_path, "clip.mp4", QUICK["open.mp4"])
    plan = changed(planned(path, 3), 2, **fields)
    with PartSource(plan, plan.parts[2]) as source:
        assert source.from_start
        found = [facts(frame) for frame in source]
    assert found == whole(path, settings())[plan.parts[2].first_index :]


def test_another_file_is_refused(tmp_path: Path) -> None:
    plan = planned(write_video(tmp_path / "clip.mp4"), 2)
    other = write_video(tmp_path / "other.mp4", first_number=1)
    with pytest.raises(ConfigError, match="is not the file of the plan"), PartSource(plan, plan.parts[1], other):
        pass


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4")
    plan = planned(path, 2)
    path.unlink()
    with pytest.raises(SourceUnavailable, match=r"clip\.mp4: No such file"), PartSource(plan, plan.parts[1]):
        pass


def test_a_worker_may_have_the_file_in_another_place(tmp_path: Path) -> None:
    path = written(tmp_path, "clip.mp4", QUICK["open.mp4"])
    plan, expected = planned(path, 2), whole(path, settings())
    moved = path.rename(tmp_path / "moved.mp4")
    with PartSource(plan, plan.parts[1], moved) as source:
        assert [facts(frame) for frame in source] == expected[plan.parts[1].first_index :]
