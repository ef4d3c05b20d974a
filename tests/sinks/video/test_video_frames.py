"""The frames of an output video: one per scene, with its time, samples and tags."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.clips import Colour, read_number, write_video
from tests.sinks.making import video_sink
from tests.sinks.scenes import annotate, decoded, edit_duration, info, samples, scene, times, write_all

VARIABLE = [0, 512, 700, 1500, 1501, 3000, 9000, 9100, 9500, 12000]
LOSSLESS = {"qp": "0", "preset": "ultrafast"}
FAST = {"preset": "ultrafast"}


def same_samples(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(samples(one), samples(other), strict=True))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("start", [0, 1777, 12800 * 5 + 1])
def test_times_are_kept_to_the_tick(tmp_path: Path, suffix: str, start: int) -> None:
    source = [scene(k, pts + start, duration=100) for k, pts in enumerate(VARIABLE)]
    sink = video_sink(tmp_path / f"out{suffix}", info(), options={"bf": "4", "b_strategy": "0"})
    write_all(sink, source)
    frames = decoded(tmp_path / f"out{suffix}")
    assert times(frames) == times(source)
    assert [read_number(frame) for frame in frames] == list(range(len(VARIABLE)))
    assert sink.notes == []


@pytest.mark.parametrize(
    "time_base",
    [Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 1000), Fraction(1, 1_000_000_000)],
    ids=str,
)
@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_every_time_base_is_kept(tmp_path: Path, time_base: Fraction, codec: str) -> None:
    step = max(round(Fraction(1, 30) / time_base), 1)
    source = [scene(k, k * step + (k > 3), time_base=time_base) for k in range(8)]
    write_all(video_sink(tmp_path / "out.mp4", info(time_base=time_base), codec=codec), source)
    assert times(decoded(tmp_path / "out.mp4")) == times(source)


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_is_exact_to_the_millisecond_and_notes_it(tmp_path: Path, suffix: str) -> None:
    source = [scene(k, pts) for k, pts in enumerate(VARIABLE)]
    sink = video_sink(tmp_path / f"out{suffix}", info())
    write_all(sink, source)
    written = times(decoded(tmp_path / f"out{suffix}"))
    assert len(written) == len(source)
    assert max(abs(a - b) for a, b in zip(written, times(source), strict=True)) <= Fraction(1, 2000)
    assert any("steps of 1 ms" in note for note in sink.notes)
    whole = video_sink(tmp_path / f"whole{suffix}", info())
    write_all(whole, [scene(k, k * 512) for k in range(5)])
    assert whole.notes == []


def test_avi_keeps_a_constant_rate_exactly(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    source = [scene(k, k, time_base=1 / rate) for k in range(12)]
    sink = video_sink(tmp_path / "out.avi", info(time_base=1 / rate, average_fps=rate))
    write_all(sink, source)
    assert times(decoded(tmp_path / "out.avi")) == times(source)
    assert sink.notes == []


def test_avi_keeps_a_variable_rate_to_the_millisecond(tmp_path: Path) -> None:
    pts = [0, 512, 1024, 1600, 3000, 9000, 9100, 12000, 12512, 13024]
    clip = write_video(tmp_path / "in.mp4", pts=pts)
    source, _ = annotate(clip, tmp_path / "out.avi")
    written = times(decoded(tmp_path / "out.avi"))
    assert len(written) == len(source)
    assert max(abs(a - b) for a, b in zip(written, times(source), strict=True)) <= Fraction(1, 2000)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "ffv1", "mpeg4", "mjpeg", "mpeg2video"])
def test_every_codec_keeps_times_and_the_last_duration(tmp_path: Path, codec: str) -> None:
    durations = [*np.diff(VARIABLE).tolist(), 333]
    source = [scene(k, pts, duration=durations[k]) for k, pts in enumerate(VARIABLE)]
    write_all(video_sink(tmp_path / "out.mp4", info(), codec=codec), source)
    assert times(decoded(tmp_path / "out.mp4")) == times(source)
    assert edit_duration(tmp_path / "out.mp4") == (VARIABLE[-1] + 333) * Fraction(1, 12800)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_video_that_starts_before_zero_is_shifted_as_a_whole(tmp_path: Path, suffix: str) -> None:
    source = [scene(k, k * 512 - 1024) for k in range(6)]
    sink = video_sink(tmp_path / f"out{suffix}", info())
    write_all(sink, source)
    written = times(decoded(tmp_path / f"out{suffix}"))
    assert written == [time + Fraction(2, 25) for time in times(source)]
    assert sink.notes == ["the video starts 0.080 s before 0: all streams are moved by that"]


def test_damaged_times_lose_no_frame(tmp_path: Path) -> None:
    pts = [0, 512, 512, 1024, 1000, 1536, 2048]
    sink = video_sink(tmp_path / "out.mp4", info())
    write_all(sink, [scene(k, at) for k, at in enumerate(pts)])
    frames = decoded(tmp_path / "out.mp4")
    ticks = [int(time * 12800) for time in times(frames)]
    assert ticks == [0, 512, 513, 1024, 1025, 1536, 2048]
    assert [read_number(frame) for frame in frames] == list(range(7))
    assert any(note.startswith("2 frame times") for note in sink.notes)


def test_frame_times_continue_after_a_clock_restart(tmp_path: Path) -> None:
    pts = [64000, 64512, 0, 512, 1024]
    write_all(video_sink(tmp_path / "out.mp4", info()), [scene(k, at, duration=512) for k, at in enumerate(pts)])
    ticks = [int(time * 12800) for time in times(decoded(tmp_path / "out.mp4"))]
    assert ticks == [64000, 64512, 65024, 65536, 66048]


@pytest.mark.parametrize(
    ("pix_fmt", "suffix", "options"),
    [
        ("yuv420p", ".mkv", {"codec": "ffv1"}),
        ("yuv420p", ".mp4", {"options": LOSSLESS}),
        ("yuv420p", ".mp4", {"codec": "hevc", "options": {"x265-params": "lossless=1:log-level=none"}}),
        ("yuvj420p", ".mkv", {"codec": "ffv1"}),
        ("yuvj420p", ".mp4", {"options": LOSSLESS}),
        ("yuv420p10le", ".mkv", {"codec": "ffv1"}),
        ("yuv420p10le", ".mp4", {"options": LOSSLESS}),
        ("yuv422p", ".mp4", {"options": LOSSLESS}),
        ("yuv444p", ".mp4", {"options": LOSSLESS}),
        ("bgr0", ".mkv", {"codec": "ffv1"}),
    ],
)
def test_samples_reach_the_encoder_untouched(
    tmp_path: Path, pix_fmt: str, suffix: str, options: dict[str, Any]
) -> None:
    source = [scene(k, k * 512, pix_fmt=pix_fmt) for k in range(4)]
    output = tmp_path / f"out{suffix}"
    sink = video_sink(output, info(pixel_format=pix_fmt), pixel_format="source", **options)
    write_all(sink, source)
    frames = decoded(output)
    assert len(frames) == 4
    for one, frame in zip(source, frames, strict=True):
        assert same_samples(one.frame.picture, frame)
    assert sink.notes == []
    if pix_fmt.startswith("yuvj"):
        assert int(frames[0].color_range) == 2


def test_interleaved_chroma_is_only_separated(tmp_path: Path) -> None:
    source = [scene(k, k * 512, pix_fmt="nv12") for k in range(3)]
    write_all(video_sink(tmp_path / "out.mkv", info(pixel_format="nv12"), codec="ffv1"), source)
    for one, frame in zip(source, decoded(tmp_path / "out.mkv"), strict=True):
        luma, chroma = samples(one.frame.picture)
        assert np.array_equal(samples(frame)[0], luma)
        assert np.array_equal(samples(frame)[1], chroma[:, ::2])
        assert np.array_equal(samples(frame)[2], chroma[:, 1::2])


def test_odd_sizes_are_exact_if_the_codec_supports_them(tmp_path: Path) -> None:
    source = [scene(k, k * 512, size=(65, 49)) for k in range(3)]
    write_all(video_sink(tmp_path / "out.mkv", info(size=(65, 49)), codec="ffv1"), source)
    for one, frame in zip(source, decoded(tmp_path / "out.mkv"), strict=True):
        assert same_samples(one.frame.picture, frame)


def test_odd_sizes_are_padded_for_h264_with_unchanged_samples(tmp_path: Path) -> None:
    source = [scene(k, k * 512, size=(65, 49)) for k in range(3)]
    sink = video_sink(tmp_path / "out.mp4", info(size=(65, 49)), options=LOSSLESS)
    write_all(sink, source)
    for one, frame in zip(source, decoded(tmp_path / "out.mp4"), strict=True):
        assert (frame.width, frame.height) == (66, 50)
        luma, *chroma = samples(frame)
        given, *given_chroma = samples(one.frame.picture)
        assert np.array_equal(luma[:49, :65], given)
        assert np.array_equal(luma[:49, 65], given[:, 64])
        for a, b in zip(chroma, given_chroma, strict=True):
            assert np.array_equal(a, b)
    assert sink.notes == ["h264 yuv420p cannot have 65x49: padded to 66x50 at the right and the bottom"]


def test_grey_stays_grey(tmp_path: Path) -> None:
    source = [scene(k, k * 512, pix_fmt="gray") for k in range(3)]
    write_all(video_sink(tmp_path / "out.mp4", info(pixel_format="gray"), options=LOSSLESS), source)
    for one, frame in zip(source, decoded(tmp_path / "out.mp4"), strict=True):
        assert np.array_equal(samples(frame)[0], samples(one.frame.picture)[0])


def test_rgb_is_encoded_for_players(tmp_path: Path) -> None:
    source = [scene(k, k * 512, pix_fmt="rgb24") for k in range(3)]
    sink = video_sink(tmp_path / "out.mp4", info(pixel_format="rgb24", colour=(2, 2, 0, 2)), crf=1)
    write_all(sink, source)
    frames = decoded(tmp_path / "out.mp4")
    assert frames[0].format.name == "yuv420p"
    assert (int(frames[0].colorspace), int(frames[0].color_range)) == (6, 1)
    assert any("yuv444p" in note for note in sink.notes)
    shown = frames[2].reformat(format="rgb24", src_colorspace="ITU601").to_ndarray().astype(int)
    given = source[2].frame.picture.to_ndarray().astype(int)
    assert abs(shown[14:34] - given[14:34]).mean() < 3


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_colour_and_aspect_tags_are_kept(tmp_path: Path, suffix: str) -> None:
    clip = write_video(
        tmp_path / "in.mp4",
        size=(64, 48),
        frames=4,
        pix_fmt="yuv420p10le",
        colour=Colour(9, 16, 9, 1),
        sample_aspect_ratio=Fraction(4, 3),
    )
    _, sink = annotate(clip, tmp_path / f"out{suffix}", pixel_format="source")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        codes = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tuple(map(int, codes)) == (9, 16, 9, 1)
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert context.pix_fmt == "yuv420p10le"
    assert sink.notes == []


def test_tags_that_a_container_cannot_hold_are_noted(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.mp4", size=(64, 48), frames=4, colour=Colour(1, 1, 1, 2))
    _, sink = annotate(clip, tmp_path / "out.avi")
    assert "avi does not store the primaries, transfer of the video" in sink.notes


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_interlaced_video_stays_interlaced(tmp_path: Path, suffix: str) -> None:
    clip = write_video(tmp_path / "in.mp4", size=(64, 48), frames=4, interlaced=True)
    source, _ = annotate(clip, tmp_path / f"out{suffix}", options=LOSSLESS)
    frames = decoded(tmp_path / f"out{suffix}")
    assert all(frame.interlaced_frame for frame in frames)
    assert all(same_samples(a.frame.picture, b) for a, b in zip(source, frames, strict=True))
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.video[0].codec_context.field_order == 2


def test_a_rotated_video_is_upright_without_a_display_matrix(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.mp4", size=(64, 48), frames=3, rotation=90)
    annotate(clip, tmp_path / "out.mp4", options=LOSSLESS)
    frames = decoded(tmp_path / "out.mp4")
    assert (frames[0].width, frames[0].height, frames[0].rotation) == (64, 48, 0)
    assert [read_number(frame) for frame in frames] == [0, 1, 2]


def test_frames_of_another_size_or_format_are_scaled_and_noted_once(tmp_path: Path) -> None:
    shapes: list[tuple[tuple[int, int], str]] = [((64, 48), "yuv420p"), ((128, 96), "yuv420p"), ((128, 96), "rgb24")]
    source = [scene(k, k * 512, size=size, pix_fmt=name) for k, (size, name) in enumerate(shapes)]
    sink = video_sink(tmp_path / "out.mp4", info(), crf=5)
    write_all(sink, [*source, scene(3, 3 * 512)])
    frames = decoded(tmp_path / "out.mp4")
    assert {(frame.width, frame.height) for frame in frames} == {(64, 48)}
    assert [read_number(frame) for frame in frames] == [0, 1, 2, 3]
    assert sink.notes == ["frames of 128x96 came among 64x48: scaled to fit"]


def test_the_annotated_picture_is_written_and_not_changed(tmp_path: Path) -> None:
    plain, drawn = scene(1, 512), scene(2, 512).frame.picture
    drawn.pts, drawn.time_base, drawn.pict_type = 7, Fraction(1, 3), 1
    before = [bytes(plane) for plane in drawn.planes]
    both = type(plain)(plain.frame, plain.tracks, plain.labels, plain.state, picture=drawn)
    write_all(video_sink(tmp_path / "out.mkv", info(), codec="ffv1"), [both])
    assert read_number(decoded(tmp_path / "out.mkv")[0]) == 2
    assert (drawn.pts, drawn.time_base, drawn.pict_type) == (7, Fraction(1, 3), 1)
    assert [bytes(plane) for plane in drawn.planes] == before


def test_the_encoder_selects_the_keyframes(tmp_path: Path) -> None:
    source = [scene(k, k * 512) for k in range(6)]
    for one in source:
        one.frame.picture.pict_type = 1
    write_all(video_sink(tmp_path / "out.mp4", info(), options=FAST), source)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [packet.is_keyframe for packet in container.demux(video=0) if packet.size] == [True] + [False] * 5


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    write_all(video_sink(tmp_path / "out.mp4", info()), [scene(0, 100, duration=512)])
    assert times(decoded(tmp_path / "out.mp4")) == [Fraction(100, 12800)]
