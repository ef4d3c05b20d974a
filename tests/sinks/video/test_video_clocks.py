"""Times of frames and audio in an output, for any clock of the input and any end of the run."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import pytest

from streamer.sources.file.file import FileSource
from tests.clips import read_number, write_video
from tests.sinks.scenes import annotate
from tests.structure import FilePlan, StreamPlan, build, contents

FAST = {"preset": "ultrafast"}


@pytest.mark.parametrize("output", [".mp4", ".mov", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_a_clock_that_starts_hours_late_is_shifted_to_zero(tmp_path: Path, suffix: str, output: str) -> None:
    plan = FilePlan(suffix, (StreamPlan("reordered"), StreamPlan("mp3")), Fraction(26541))
    clip = build(plan, tmp_path / f"in{suffix}")
    _, sink = annotate(clip, tmp_path / f"out{output}", options={} if output == ".avi" else FAST)
    made = contents(tmp_path / f"out{output}", best=False)
    assert made.numbers == list(range(25))
    start = made.times[0]
    assert start is not None
    assert 0 <= start < Fraction(1, 4)  # MPEG-TS makes room for B-frames
    (sound,) = made.streams
    heard = sound.packets[0][0]
    assert heard is not None
    assert abs(heard - start) <= Fraction(1, 500)
    assert "the clock of the input starts at 26541.000 s: all streams are moved to start at 0" in sink.notes
    assert (tmp_path / f"out{output}").stat().st_size < 300_000  # no hours of empty frames


@pytest.mark.parametrize("lag_s", [0, 1, 30, -30])
@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".flv"])
def test_an_interrupted_run_has_audio_that_is_late_in_the_file(tmp_path: Path, suffix: str, lag_s: int) -> None:
    streams = (StreamPlan("h264", Fraction(2), stretch=20), StreamPlan("mp3", Fraction(40)))
    clip = build(FilePlan(suffix, streams, lag_s=Fraction(lag_s)), tmp_path / f"in{suffix}")
    annotate(clip, tmp_path / "out.mkv", options=FAST, frames=20)
    made = contents(tmp_path / "out.mkv", best=False)
    assert made.numbers == list(range(20))
    (sound,) = made.streams
    given = contents(clip).streams[0].packets
    assert [data for _, data in sound.packets] == [data for _, data in given[: len(sound.packets)]]
    first, last, end = made.times[0], made.times[-1], sound.packets[-1][0]
    assert first is not None
    assert last is not None
    assert end is not None
    # Up to the end of the last frame, which is 0.8 s long if the container stores that.
    assert last - Fraction(3, 100) < end <= last + Fraction(4, 5) + Fraction(1, 100)


def test_b_frames_of_a_program_stream_have_increasing_times(tmp_path: Path) -> None:
    clip = build(
        FilePlan(".mpg", (StreamPlan("mpeg2video", Fraction(3)), StreamPlan("mp2", Fraction(3)))), tmp_path / "v.mpg"
    )
    with FileSource(clip, threads=1) as source:
        frames = list(source)
    times = [frame.pts * frame.time_base for frame in frames]
    assert [read_number(frame.picture) for frame in frames] == list(range(75))
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [Fraction(1, 25)] * 74


def pulled_down(path: Path, target: Path) -> Path:
    """The elementary MPEG-2 video of a file, every second frame with a repeated field (ISO/IEC 13818-2, 6.3.10)."""
    content, pictures = bytearray(path.read_bytes()), 0
    at = content.find(b"\0\0\1\xb5")
    while at >= 0:
        if content[at + 4] >> 4 == 8:  # picture coding extension
            if pictures % 2 == 0:
                content[at + 7] |= 0x02  # repeat_first_field
            content[at + 7] |= 0x80  # top_field_first
            content[at + 8] |= 0x80  # progressive_frame
            pictures += 1
        elif content[at + 4] >> 4 == 1:
            content[at + 5] &= ~0x08  # a sequence with repeated fields is not progressive
        at = content.find(b"\0\0\1\xb5", at + 4)
    target.write_bytes(content)
    return target


def test_soft_telecine_has_steps_of_two_and_three_fields(tmp_path: Path) -> None:
    plain = write_video(
        tmp_path / "v.m2v", codec="mpeg2video", frames=48, rate=Fraction(30000, 1001), options={"bf": "2"}
    )
    with FileSource(pulled_down(plain, tmp_path / "film.m2v"), threads=1) as source:
        frames = list(source)
    times = [frame.pts * frame.time_base for frame in frames]
    assert [read_number(frame.picture) for frame in frames] == list(range(48))
    field_s = Fraction(1001, 60000)
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {2 * field_s, 3 * field_s}


@pytest.mark.parametrize("fps", [None, 30])
@pytest.mark.parametrize("name", ["v.h264", "v.hevc", "v.mjpeg", "v.m2v"])
def test_raw_video_has_even_steps(tmp_path: Path, name: str, fps: int | None) -> None:
    codecs = {"v.h264": "libx264", "v.hevc": "libx265", "v.mjpeg": "mjpeg", "v.m2v": "mpeg2video"}
    pix_fmt = "yuvj420p" if name == "v.mjpeg" else "yuv420p"
    clip = write_video(
        tmp_path / name, codec=codecs[name], pix_fmt=pix_fmt, frames=30, rate=50, time_base=Fraction(1, 50)
    )
    with FileSource(clip, fps=fps) as source:
        frames = list(source)
        average_fps = source.info.average_fps
    times = [frame.pts * frame.time_base for frame in frames]
    assert [read_number(frame.picture) for frame in frames] == list(range(30))
    own = 25 if name == "v.mjpeg" else 50  # a JPEG has no rate
    assert average_fps == (fps or own)
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {Fraction(1, fps or own)}
