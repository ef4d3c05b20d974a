"""Damaged files: all decodable frames are read, each loss is counted once, and unusual intact files are not damaged."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.sources.file.file import FileSource
from streamer.sources.file.truncation import missing_bytes
from streamer.values.frame import Frame
from tests import clips

FRAMES = 100
CODING: dict[str, Any] = {"frames": FRAMES, "size": (320, 240), "options": {"preset": "veryfast", "bf": "2", "g": "25"}}
MPEG4: dict[str, Any] = {"frames": FRAMES, "size": (320, 240), "codec": "mpeg4", "options": {"g": "25"}}
INTACT: dict[str, dict[str, Any]] = {
    "faststart.mp4": CODING | {"container_options": {"movflags": "faststart"}},
    "fragmented.mp4": CODING | {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "sound.mkv": CODING | {"audio": True},
    "sound.ts": CODING | {"audio": True},
    "video.avi": MPEG4,
    "video.flv": CODING,
    "video.wmv": {"frames": FRAMES, "codec": "wmv2"},
    "video.nut": {"frames": FRAMES, "codec": "ffv1"},
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("intact")
    return {name: clips.write_video(folder / name, **how) for name, how in INTACT.items()}


def read(path: Path, **options: Any) -> tuple[list[Frame], Counter[str]]:
    """The frames, and the number of lost frames by cause."""
    lost: Counter[str] = Counter()
    frames = []
    with FileSource(path, **options) as source:
        told = []
        for frame in source:
            frames.append(frame)
            told += source.take_damage()
        told += source.take_damage()
        assert source.take_damage() == []
    for damage in told:
        assert damage.frames >= 1
        lost[damage.cause] += damage.frames
    return frames, lost


# The tolerance of the count: none with an index, else for rounding.
@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("faststart.mp4", 0), ("sound.mkv", 2), ("video.avi", 0), ("video.flv", 3), ("video.wmv", 15)],
)
def test_the_missing_end_of_a_truncated_file_is_counted(
    kind: str, tolerance: int, intact: dict[str, Path], tmp_path: Path
) -> None:
    frames, lost = read(clips.truncate(intact[kind], tmp_path / kind, 0.6))
    assert 40 <= len(frames) < FRAMES
    assert [clips.read_number(frame.picture) for frame in frames[:40]] == list(range(40))
    assert lost["truncated"] > 0
    assert abs(len(frames) + lost.total() - FRAMES) <= tolerance


@pytest.mark.parametrize("kind", ["fragmented.mp4", "sound.ts"])
def test_a_truncation_of_unknown_length_is_reported(kind: str, intact: dict[str, Path], tmp_path: Path) -> None:
    frames, lost = read(clips.truncate(intact[kind], tmp_path / kind, 0.6))
    assert 40 <= len(frames) < FRAMES
    assert 1 <= lost["truncated"] <= FRAMES - len(frames)


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.9, 0.99])
def test_the_counts_of_a_truncated_file_add_up(fraction: float, intact: dict[str, Path], tmp_path: Path) -> None:
    frames, lost = read(clips.truncate(intact["faststart.mp4"], tmp_path / "v.mp4", fraction))
    assert len(frames) + lost.total() == FRAMES


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", INTACT)
def test_decoding_continues_after_bad_bytes(kind: str, threads: int, intact: dict[str, Path], tmp_path: Path) -> None:
    frames, lost = read(clips.corrupt(intact[kind], tmp_path / kind, start=0.6, end=0.65), threads=threads)
    numbers = [clips.read_number(frame.picture) for frame in frames]
    assert numbers[:20] == list(range(20))
    assert numbers[-3:] == [97, 98, 99]
    assert lost["truncated"] == 0
    if kind not in ("sound.mkv", "video.flv"):  # whose demuxers skip unknown data silently
        assert lost.total() > 0
        assert len(frames) + lost.total() == FRAMES


def test_a_packet_flagged_by_the_demuxer_gives_a_corrupt_frame(intact: dict[str, Path], tmp_path: Path) -> None:
    frames, _ = read(clips.corrupt(intact["sound.ts"], tmp_path / "v.ts", start=0.6, end=0.65))
    assert 1 <= sum(frame.corrupt for frame in frames) <= 3


def test_a_webm_with_an_unreadable_rest_counts_as_truncated(tmp_path: Path) -> None:
    whole = clips.write_video(
        tmp_path / "w.webm", frames=60, codec="libvpx", options={"cpu-used": "8", "deadline": "realtime"}
    )
    frames, lost = read(clips.corrupt(whole, tmp_path / "v.webm", start=0.5, end=0.8))
    assert len(frames) < 60
    assert lost.total() >= 1


def test_truncated_audio_loses_no_frame(tmp_path: Path) -> None:
    # All frames are first, the audio is last.
    whole = clips.write_video(tmp_path / "w.mp4", frames=10, container_options={"movflags": "faststart"})
    content = whole.read_bytes() + struct.pack(">I4s", 5000, b"mdat")
    (tmp_path / "v.mp4").write_bytes(content)
    frames, lost = read(tmp_path / "v.mp4")
    assert (len(frames), lost.total()) == (10, 0)


def test_bytes_after_the_end_are_not_damage(intact: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("faststart.mp4", "sound.mkv", "video.avi"):
        longer = tmp_path / kind
        longer.write_bytes(intact[kind].read_bytes() + b"\xffappended by something else")
        frames, lost = read(longer)
        assert (len(frames), lost.total()) == (FRAMES, 0), kind


def test_an_unset_size_is_not_damage(intact: dict[str, Path], tmp_path: Path) -> None:
    content = bytearray(intact["video.avi"].read_bytes())
    content[4:8] = bytes(4)
    (tmp_path / "v.avi").write_bytes(content)
    frames, lost = read(tmp_path / "v.avi")
    assert (len(frames), lost.total()) == (FRAMES, 0)


def test_headers_with_a_wrong_duration_are_not_damage(intact: dict[str, Path], tmp_path: Path) -> None:
    mkv = bytearray(intact["sound.mkv"].read_bytes())
    at = mkv.index(bytes.fromhex("448988")) + 3  # Duration, a float of 8 bytes
    mkv[at : at + 8] = struct.pack(">d", 5 * 3600 * 1000.0)
    (tmp_path / "v.mkv").write_bytes(mkv)
    mp4 = bytearray(intact["faststart.mp4"].read_bytes())
    at = mp4.index(b"mvhd") + 4 + 16  # version 0: version and flags, two dates, time scale
    mp4[at : at + 4] = struct.pack(">I", 5 * 3600 * 1000)
    (tmp_path / "v.mp4").write_bytes(mp4)
    for path in (tmp_path / "v.mkv", tmp_path / "v.mp4"):
        frames, lost = read(path)
        assert (len(frames), lost.total()) == (FRAMES, 0), path.name


@pytest.mark.parametrize("kind", INTACT)
def test_an_intact_file_has_no_missing_bytes(kind: str, intact: dict[str, Path]) -> None:
    demuxer = {"mp4": "mov,mp4", "mkv": "matroska,webm", "ts": "mpegts", "wmv": "asf"}
    suffix = intact[kind].suffix[1:]
    assert missing_bytes(intact[kind], demuxer.get(suffix, suffix)) == 0


@given(data=st.data())
def test_the_missing_bytes_of_a_matroska_file_are_exact(data: st.DataObject, intact: dict[str, Path]) -> None:
    content = intact["sound.mkv"].read_bytes()
    kept = data.draw(st.integers(100, len(content) - 1))
    path = intact["sound.mkv"].with_name("cut.mkv")
    path.write_bytes(content[:kept])
    assert missing_bytes(path, "matroska,webm") == len(content) - kept


@example(content=b"\0\0\0\0\0\x10" + bytes(5), demuxer="matroska")  # a header longer than any file
@given(content=st.binary(max_size=64), demuxer=st.sampled_from(["mov", "avi", "matroska", "asf", "flv", "mpegts", "x"]))
def test_any_broken_header_can_be_measured(content: bytes, demuxer: str, intact: dict[str, Path]) -> None:
    path = intact["sound.mkv"].with_name("noise")
    path.write_bytes(content)
    assert missing_bytes(path, demuxer) >= 0
