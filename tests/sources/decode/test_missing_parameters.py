"""Audio that begins so late that its parameters are unknown after opening the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamer.sources.decode.missing_parameters import find_missing_parameters, has_unknown_parameters
from streamer.sources.file.file import FileSource
from tests.sinks.scenes import annotate, decoded, payloads, times
from tests.structure import FilePlan, StreamPlan, build

LATE_S = 12


def late_clip(path: Path, sound: str) -> Path:
    video = "mpeg2video" if path.suffix == ".mpg" else "h264"
    streams = (StreamPlan(video, Fraction(LATE_S + 2)), StreamPlan(sound, Fraction(2), Fraction(LATE_S)))
    return build(FilePlan(path.suffix, streams), path)


def joined_clip(path: Path) -> Path:
    """A recording whose list of streams changes: the first part has no audio."""
    silent = build(FilePlan(".ts", (StreamPlan("h264", Fraction(LATE_S)),)), path.with_name("a.ts"))
    sounding = (StreamPlan("h264", Fraction(2)), StreamPlan("mp2", Fraction(2)))
    loud = build(FilePlan(".ts", sounding, Fraction(LATE_S)), path.with_name("b.ts"))
    path.write_bytes(silent.read_bytes() + loud.read_bytes())
    return path


@pytest.mark.parametrize("output", [".mkv", ".mp4"])
@pytest.mark.parametrize("name", ["aac.ts", "mp2.ts", "mp2.mpg", "mp3.flv", "aac.mp4", "joined.ts"])
def test_audio_that_begins_late_is_found(name: str, output: str, tmp_path: Path) -> None:
    clip = tmp_path / name
    clip = joined_clip(clip) if name == "joined.ts" else late_clip(clip, clip.stem)
    _, sink = annotate(clip, tmp_path / f"out{output}", options={"preset": "ultrafast"})
    (given,), (written,) = payloads(clip, "audio"), payloads(tmp_path / f"out{output}", "audio")
    assert len(written) == len(given) > 50
    first = written[0][0]
    assert first is not None
    assert abs(first - times(decoded(tmp_path / f"out{output}"))[0] - LATE_S) < Fraction(1, 10)
    assert not any("left out" in note and "audio" in note for note in sink.notes)


def test_a_file_is_searched_only_for_unknown_parameters(tmp_path: Path) -> None:
    late = late_clip(tmp_path / "late.ts", "aac")
    prompt = build(FilePlan(".ts", (StreamPlan("h264"), StreamPlan("aac"))), tmp_path / "prompt.ts")
    with av.open(str(late)) as container:
        (sound,) = container.streams.audio
        assert has_unknown_parameters(sound)
        found = find_missing_parameters(late, container)
        assert {index: has_unknown_parameters(one) for index, one in found.items()} == {sound.index: False}
    with av.open(str(prompt)) as container:
        assert find_missing_parameters(prompt, container) == {}


def test_unused_audio_is_not_searched_for(tmp_path: Path) -> None:
    source = FileSource(late_clip(tmp_path / "late.ts", "aac"))
    source.audio = False
    with source:
        assert source.passthrough is not None
        assert source.passthrough.streams == ()
