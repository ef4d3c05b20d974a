"""Timecode and the data tracks of cameras and phones: copied, or left out and noted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.sinks.boxes import Track, retag, tracks_in
from tests.sinks.scenes import annotate, decoded, payloads

FAST = {"preset": "ultrafast"}
NTSC = Fraction(30000, 1001)
TIMECODES = [("01:02:03:04", Fraction(25)), ("10:00:00;02", NTSC)]


def clip_with_timecode(path: Path, timecode: str, rate: Fraction) -> Path:
    """Ten frames, written as a camera does: QuickTime gets a track for the timecode."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=rate, options=FAST)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.metadata["timecode"] = timecode
        for number in range(10):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, 1 / rate
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


def timecodes_in(path: Path) -> set[str]:
    with av.open(str(path)) as container:
        tagged = [container.metadata, *(stream.metadata for stream in container.streams)]
        return {value for tags in tagged for key, value in tags.items() if key.lower() == "timecode"}


@pytest.mark.parametrize(
    ("source", "output"),
    [(".mov", ".mov"), (".mov", ".mp4"), (".mov", ".mkv"), (".mov", ".avi"), (".mp4", ".mov"), (".mkv", ".mp4")],
)
@pytest.mark.parametrize(("timecode", "rate"), TIMECODES)
def test_the_timecode_is_kept(tmp_path: Path, source: str, output: str, timecode: str, rate: Fraction) -> None:
    clip = clip_with_timecode(tmp_path / f"in{source}", timecode, rate)
    assert timecodes_in(clip) == {timecode}
    scenes, sink = annotate(clip, tmp_path / f"out{output}")
    assert len(decoded(tmp_path / f"out{output}")) == len(scenes) == 10
    assert timecodes_in(tmp_path / f"out{output}") == {timecode}
    assert not [note for note in sink.notes if "left out" in note]


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_the_timecode_track_of_quicktime_has_the_frame_number(tmp_path: Path, suffix: str) -> None:
    clip = clip_with_timecode(tmp_path / "in.mov", "01:02:03:04", Fraction(25))
    annotate(clip, tmp_path / f"out{suffix}", options=FAST)
    for path in (clip, tmp_path / f"out{suffix}"):
        (track,) = [one for one in tracks_in(path) if one.tag == "tmcd"]
        assert track.samples == [(((1 * 60 + 2) * 60 + 3) * 25 + 4).to_bytes(4, "big")]


def test_a_lost_timecode_is_noted_with_its_value(tmp_path: Path) -> None:
    clip = clip_with_timecode(tmp_path / "in.mov", "10:00:00;02", NTSC)
    scenes, sink = annotate(clip, tmp_path / "out.ts")
    assert len(decoded(tmp_path / "out.ts")) == len(scenes)
    assert [note for note in sink.notes if "left out" in note] == [
        "mpegts cannot hold the timecode 10:00:00;02: left out"
    ]


def clip_with_data(path: Path, tag: bytes, handler: bytes = b"meta") -> Path:
    """A clip of 0.4 s with a data track, as the camera or phone that owns the tag writes it."""
    plain = path.with_name(f"plain{path.suffix}")
    with av.open(str(plain), "w") as output:
        video: Any = output.add_stream("libx264", rate=25, options=FAST)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        samples: Any = output.add_stream("alac", rate=48000)
        samples.layout, samples.format = "mono", "s16p"
        for number in range(10):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        for number in range(5):
            noise = np.random.default_rng(number).integers(-99, 99, (1, 4096), np.int16)
            output.mux(samples.encode(_sound(noise, number * 4096)))
        output.mux([*video.encode(None), *samples.encode(None)])
    return retag(plain, path, tag, handler)


def _sound(samples: npt.NDArray[np.int16], at: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples, format="s16p", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
    return frame


def data_tracks(path: Path) -> list[Track]:
    return [track for track in tracks_in(path) if track.handler not in ("vide", "soun")]


@pytest.mark.parametrize("output", [".mp4", ".mov"])
@pytest.mark.parametrize("source", [".mp4", ".mov"])
def test_telemetry_of_action_cameras_is_kept(tmp_path: Path, source: str, output: str) -> None:
    clip, target = clip_with_data(tmp_path / f"in{source}", b"gpmd"), tmp_path / f"out{output}"
    _, sink = annotate(clip, target, options=FAST)
    (given,), (written,) = data_tracks(clip), data_tracks(target)
    assert (written.handler, written.name, written.tag) == ("meta", given.name, "gpmd")
    assert written.samples == given.samples != []
    # FFmpeg's reader joins what it reads; the boxes have each sample.
    assert written.durations == pytest.approx(given.durations)
    assert sink.notes == []


@pytest.mark.parametrize(
    ("tag", "output"),
    [
        *((b"mebx", suffix) for suffix in (".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts")),
        *((tag, suffix) for tag in (b"fdsc", b"djmd", b"camm", b"rtmd") for suffix in (".mp4", ".mov")),
    ],
)
def test_data_tracks_that_would_break_are_left_out_and_noted(tmp_path: Path, tag: bytes, output: str) -> None:
    clip, target = clip_with_data(tmp_path / "in.mov", tag), tmp_path / f"out{output}"
    scenes, sink = annotate(clip, target, codec="vp8" if output == ".webm" else None)
    assert len(decoded(target)) == len(scenes) == 10
    with av.open(str(target)) as container:
        kind = container.format.name
        assert [stream.type for stream in container.streams] == ["video"]
    if output in (".mp4", ".mov"):
        assert data_tracks(target) == []
    (note,) = [line for line in sink.notes if "left out" in line]
    assert note.endswith(f" cannot hold the data stream 1 ({tag.decode()}) of the input: left out")
    assert note.split()[0] in kind


def clip_with_klv(path: Path, codec: str) -> Path:
    """A transport stream with a data stream and video."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=25, options=FAST)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        data: Any = output.add_data_stream(codec)
        output.start_encoding()
        for number in range(10):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packet: Any = av.Packet(b"\x06\x0e\x2b\x34" + bytes([number]) * 16)
            packet.stream, packet.time_base, packet.pts, packet.dts = data, Fraction(1, 25), number, number
            output.mux(packet)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


@pytest.mark.parametrize("codec", ["klv", "timed_id3"])
def test_data_of_drones_and_streams_is_kept_in_a_transport_stream_only(tmp_path: Path, codec: str) -> None:
    clip = clip_with_klv(tmp_path / "in.ts", codec)
    _, sink = annotate(clip, tmp_path / "out.ts", options=FAST)
    (given,), (written,) = payloads(clip, "data"), payloads(tmp_path / "out.ts", "data")
    assert [digest for _, digest in written] == [digest for _, digest in given] != []
    assert not [note for note in sink.notes if "left out" in note]
    for suffix in (".mp4", ".mkv"):
        _, sink = annotate(clip, tmp_path / f"out{suffix}", options=FAST)
        (note,) = [line for line in sink.notes if "left out" in line]
        assert note.endswith(f"cannot hold the data stream 1 ({codec}) of the input: left out")
