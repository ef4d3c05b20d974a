"""The facts in a probe."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.sources.probe.facts import VideoFacts
from streamer.sources.probe.probe import constancy, probe
from tests import clips


def video_of(path: Path) -> VideoFacts:
    return next(stream.video for stream in probe(str(path)).streams if stream.video is not None and stream.video.used)


def test_everything_in_a_container(tmp_path: Path) -> None:
    path = clips.write_video(
        tmp_path / "v.mp4",
        audio=True,
        subtitles=True,
        cover=True,
        chapters=[("one", 0, 0.5), ("two", 0.5, 1)],
        metadata={"title": "A film"},
    )
    found = probe(str(path))
    assert found.container.startswith("mov,mp4")
    assert found.duration_s == pytest.approx(1.0)
    assert found.start_s == 0
    assert found.bit_rate
    assert found.metadata["title"] == "A film"
    assert [(part.title, part.start_s, part.end_s) for part in found.chapters] == [("one", 0, 0.5), ("two", 0.5, 1)]
    by_codec = {stream.codec: stream for stream in found.streams}
    assert by_codec["h264"].profile == "Constrained Baseline"
    assert by_codec["png"].disposition == ("attached_pic",)
    assert by_codec["png"].video is not None
    assert not by_codec["png"].video.used
    sound = by_codec["aac"].audio
    assert sound is not None
    assert (sound.sample_rate_hz, sound.channels, sound.layout, sound.sample_format) == (48000, 2, "stereo", "fltp")
    assert by_codec["mov_text"].type == "subtitle"


def test_video_facts(tmp_path: Path) -> None:
    path = clips.write_video(
        tmp_path / "v.mp4",
        pix_fmt="yuv420p10le",
        rotation=90,
        sample_aspect_ratio=Fraction(4, 3),
        colour=clips.Colour(9, 16, 9, 1),
        frames=7,
    )
    facts = video_of(path)
    assert (facts.width, facts.height, facts.coded_width, facts.coded_height) == (160, 120, 120, 160)
    assert (facts.rotation, facts.mirrored, facts.sample_aspect_ratio) == (270, False, Fraction(3, 4))
    assert (facts.pixel_format, facts.bit_depth, facts.frames) == ("yuv420p10le", 10, 7)
    assert (facts.primaries, facts.transfer, facts.matrix, facts.range) == (
        "bt2020",
        "smpte2084",
        "bt2020nc",
        "limited",
    )
    assert facts.average_fps == 25
    assert facts.field_order == "progressive"
    assert video_of(clips.write_video(tmp_path / "i.mp4", interlaced=True)).field_order == "interlaced, top field first"


CONSTANT: dict[str, dict[str, Any]] = {
    "v.mp4": {},
    "reordered.mp4": {"options": {"preset": "veryfast", "bf": "3"}, "frames": 650},
    "ntsc.mkv": {"rate": Fraction(30000, 1001), "time_base": Fraction(1001, 30000), "frames": 100},
    "v.avi": {"options": {"preset": "veryfast", "bf": "3"}},
    "v.mpg": {"codec": "mpeg2video"},
    "v.ts": {"start_pts": -1024},
    "hidden.mp4": {"start_pts": -1024},
}


@pytest.mark.parametrize("kind", CONSTANT)
def test_constant_rate(kind: str, tmp_path: Path) -> None:
    assert video_of(clips.write_video(tmp_path / kind, **CONSTANT[kind])).frame_rate == "constant"


def test_variable_and_unknown_rate(tmp_path: Path) -> None:
    uneven = [0, 512, 1024, 2048, 2560, 3072]
    assert video_of(clips.write_video(tmp_path / "v.mp4", pts=uneven)).frame_rate == "variable"
    assert video_of(clips.write_video(tmp_path / "one.mp4", frames=1)).frame_rate == "unknown"
    assert video_of(clips.write_video(tmp_path / "raw.h264")).frame_rate == "unknown"


def test_images_and_graphs(tmp_path: Path) -> None:
    for number in range(3):
        clips.write_picture(tmp_path / f"{number}.png", number)
    pictures = probe(str(tmp_path), SourceSettings(fps=Fraction(50)))
    assert pictures.container == "pictures"
    assert pictures.duration_s == pytest.approx(0.06)
    facts = pictures.streams[0].video
    assert facts is not None
    assert (facts.frames, facts.pixel_format) == (3, "rgb24")
    assert facts.average_fps == 50
    endless = probe("lavfi:testsrc2=size=64x48").streams[0].video
    assert endless is not None
    assert (endless.width, endless.frame_rate, endless.frames) == (64, "constant", None)


def test_json_and_lines_have_the_same_facts(tmp_path: Path) -> None:
    path = clips.write_video(
        tmp_path / "v.mp4",
        rotation=90,
        flip="horizontal",
        audio=True,
        rate=Fraction(30000, 1001),
        time_base=Fraction(1, 30000),
        chapters=[("a", 0, 1)],
    )
    found = probe(str(path))
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["streams"][0]["video"]["average_fps"] == str(found.streams[0].video.average_fps)  # type: ignore[union-attr]
    assert plain["streams"][0]["video"]["mirrored"] is True
    text = "\n".join(found.lines())
    for expected in (
        str(path),
        "h264",
        "160x120",
        "stored 120x160",
        "and mirrored",
        "29.97 fps",
        "aac",
        "48000 Hz",
        "'a'",
    ):
        assert expected in text
    assert len(found.lines()) == 1 + len(found.streams) + 1


def test_bad_input_is_unavailable(tmp_path: Path) -> None:
    for uri in (
        "missing.mp4",
        "rtsp://u:p@h/s",
        "lavfi:nonsense",
        str(tmp_path),
        str(clips.write_audio(tmp_path / "a.wav")),
    ):
        with pytest.raises(SourceUnavailable):
            probe(uri)


@given(
    start=st.integers(-(10**9), 10**9),
    rate=st.fractions(min_value=1, max_value=240),
    ticks=st.sampled_from([1000, 12800, 90000]),
    count=st.integers(3, 200),
    order=st.randoms(use_true_random=False),
)
def test_a_constant_rate_is_detected_despite_rounding(
    start: int, rate: Fraction, ticks: int, count: int, order: Any
) -> None:
    times = [start + round(k * ticks / rate) for k in range(count)]
    order.shuffle(times)
    assert constancy(times) == "constant"


@given(missing=st.integers(1, 98))
def test_a_missing_frame_makes_a_rate_variable(missing: int) -> None:
    assert constancy([k * 40 for k in range(100) if k != missing]) == "variable"
