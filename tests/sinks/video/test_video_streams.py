"""The other content of an output video: audio, subtitles, covers, attachments, chapters, tags."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import AttachmentStream, Disposition

from streamer.interfaces import Scene
from streamer.sources.file.file import FileSource
from streamer.values.states import FrameState
from tests.clips import write_video
from tests.sinks.making import video_sink
from tests.sinks.scenes import LABELS, annotate, decoded, payloads, times, tracks
from tests.structure import FilePlan, OtherStream, StreamPlan, build, contents

CHAPTERS = [("one", 0.0, 0.4), ("two", 0.4, 1.0)]
FAST = {"preset": "ultrafast"}


def rich_clip(path: Path, **more: Any) -> Path:
    """One second of video with everything that the container holds."""
    tags = {"title": "A title", "artist": "Somebody"}
    return write_video(
        path, size=(64, 48), audio=True, subtitles=True, cover=True, chapters=CHAPTERS, metadata=tags, **more
    )


def chapters_of(path: Path) -> list[tuple[str, float, float]]:
    def seconds(ticks: int, time_base: Fraction | None) -> float:
        return float(ticks * (time_base or 0))

    with av.open(str(path)) as container:
        return [
            (
                one["metadata"]["title"],
                seconds(one["start"], one["time_base"]),
                seconds(one["end"], one["time_base"]),
            )
            for one in container.chapters()
        ]


def digests(streams: list[list[tuple[Fraction | None, str]]]) -> list[list[str]]:
    return [[digest for _, digest in stream] for stream in streams]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_everything_is_copied_to_the_same_container(tmp_path: Path, suffix: str) -> None:
    clip, output = rich_clip(tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}"
    source, sink = annotate(clip, output, options=FAST)
    assert times(decoded(output)) == times(source)
    for kind in ("audio", "subtitle"):
        assert payloads(output, kind) == payloads(clip, kind) != []
    assert digests(payloads(output, "cover")) == digests(payloads(clip, "cover")) != []
    assert chapters_of(output) == CHAPTERS
    with av.open(str(output)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert (tags["title"], tags["artist"]) == ("A title", "Somebody")
        kinds = sorted(stream.type for stream in container.streams if stream.type != "data")
    assert kinds == ["audio", "subtitle", "video", "video"]
    assert sink.notes == []


def test_audio_stays_in_sync_with_the_video_in_matroska(tmp_path: Path) -> None:
    # AAC starts before 0; FFmpeg's default would move the video by that.
    clip, output = rich_clip(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    source, sink = annotate(clip, output, options=FAST)
    assert times(decoded(output)) == times(source)
    (given,), (written,) = payloads(clip, "audio"), payloads(output, "audio")
    assert digests([written]) == digests([given])
    assert given[0][0] == Fraction(-1024, 48000)
    for (before, _), (after, _) in zip(given, written, strict=True):
        assert before is not None
        assert after is not None
        assert abs(before - after) <= Fraction(1, 2000)
    assert digests(payloads(output, "cover")) == digests(payloads(clip, "cover"))
    assert sink.notes == ["matroska cannot hold the subtitle stream 2 (mov_text) of the input: left out"]


@pytest.mark.parametrize(
    ("source", "output", "left_out"),
    [
        (".mkv", ".mp4", ["subtitle stream 2"]),
        (".mkv", ".mov", ["subtitle stream 2", "video stream 3"]),
        (".mp4", ".webm", ["subtitle stream 2", "video stream 4"]),
        (".mp4", ".avi", ["subtitle stream 2", "video stream 4", "2 of 2 chapters"]),
    ],
)
def test_each_stream_that_cannot_be_copied_is_noted_once(
    tmp_path: Path, source: str, output: str, left_out: list[str]
) -> None:
    clip = rich_clip(tmp_path / f"in{source}")
    scenes, sink = annotate(clip, tmp_path / f"out{output}")
    assert len(decoded(tmp_path / f"out{output}")) == len(scenes)
    noted = [note for note in sink.notes if "left out" in note]
    assert len(noted) == len(left_out)
    for note, start in zip(noted, left_out, strict=True):
        assert start in note


def test_tags_that_mp4_cannot_hold_are_noted(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.mkv", size=(64, 48), frames=3, metadata={"title": "t", "weather": "wet"})
    _, sink = annotate(clip, tmp_path / "out.mp4")
    assert sink.notes == ["mp4 cannot hold the tags WEATHER: left out"]


def test_adts_audio_of_a_transport_stream_becomes_mp4_audio(tmp_path: Path) -> None:
    clip, output = write_video(tmp_path / "in.ts", size=(64, 48), audio=True), tmp_path / "out.mp4"
    source, sink = annotate(clip, output, options=FAST)
    assert times(decoded(output)) == times(source)
    (given,), (written,) = payloads(clip, "audio"), payloads(output, "audio")
    assert [time for time, _ in written] == [time for time, _ in given]
    with av.open(str(output)) as one, av.open(str(clip)) as other:
        heard, wanted = (sum(frame.samples for frame in each.decode(audio=0)) for each in (one, other))
    assert heard == wanted
    assert sink.notes == []


def test_all_streams_shift_together_when_the_video_starts_before_zero(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.ts", size=(64, 48), audio=True, start_pts=-2560)
    source, _ = annotate(clip, tmp_path / "out.mp4", options=FAST)
    assert times(decoded(tmp_path / "out.mp4")) == [time + Fraction(1, 5) for time in times(source)]
    (given,), (written,) = payloads(clip, "audio"), payloads(tmp_path / "out.mp4", "audio")
    moved = {after - before for (before, _), (after, _) in zip(given, written, strict=True) if before and after}
    assert moved == {Fraction(1, 5)}


def test_streams_keep_language_title_and_disposition(tmp_path: Path) -> None:
    clip = tmp_path / "in.mkv"
    plain = write_video(tmp_path / "plain.mkv", size=(64, 48), frames=5, audio=True)
    with av.open(str(plain)) as source, av.open(str(clip), "w") as target:
        streams: dict[int, Any] = {}
        for stream in source.streams:
            streams[stream.index] = target.add_stream_from_template(stream, opaque=True)
        streams[1].metadata.update({"language": "fre", "title": "Commentaire"})
        streams[1].disposition = Disposition.comment
        target.add_attachment("font.ttf", "font/ttf", b"not really a font")
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    _, sink = annotate(clip, tmp_path / "out.mkv", options=FAST)
    with av.open(str(tmp_path / "out.mkv")) as container:
        sound = container.streams.audio[0]
        assert (sound.metadata["language"], sound.metadata["title"]) == ("fre", "Commentaire")
        assert sound.disposition == Disposition.comment
        (attached,) = (stream for stream in container.streams if isinstance(stream, AttachmentStream))
        assert (attached.metadata["filename"], attached.data) == ("font.ttf", b"not really a font")
    assert sink.notes == []
    _, sink = annotate(clip, tmp_path / "out.mp4", options=FAST)
    assert sink.notes == [
        "mp4 cannot hold the attachment stream 2 (font.ttf) of the input: left out",
        "mp4 cannot hold the title 'Commentaire' of stream 1: left out",
    ]


def test_an_interrupted_run_has_the_audio_up_to_its_last_frame(tmp_path: Path) -> None:
    clip = rich_clip(tmp_path / "in.mp4", frames=75)
    scenes, _ = annotate(clip, tmp_path / "out.mp4", options=FAST, frames=30)
    assert times(decoded(tmp_path / "out.mp4")) == times(scenes)
    (sound,) = payloads(tmp_path / "out.mp4", "audio")
    end = sound[-1][0]
    assert end is not None
    assert Fraction(30, 25) - Fraction(1024, 48000) < end <= Fraction(30, 25)
    (given,) = payloads(clip, "audio")
    assert sound == given[: len(sound)]


def test_streams_that_end_later_than_the_video_are_copied_to_their_end(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.mkv", size=(64, 48), frames=50, audio=True)
    short = tmp_path / "out.mkv"
    with FileSource(clip) as source, video_sink(short, source.info, passthrough=source.passthrough) as sink:
        for number, frame in enumerate(source):
            if number < 3:
                sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
    assert payloads(short, "audio") == payloads(clip, "audio")


def test_nothing_is_copied_without_passthrough(tmp_path: Path) -> None:
    clip = rich_clip(tmp_path / "in.mp4")
    _, sink = annotate(clip, tmp_path / "out.mp4", copies=False, options=FAST)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.chapters() == []
    assert sink.notes == []


def test_a_damaged_input_loses_only_its_damaged_packets(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.mkv", size=(64, 48), frames=50, audio=True)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    scenes, _ = annotate(cut, tmp_path / "out.mkv", options=FAST)
    assert 0 < len(scenes) < 50
    assert len(decoded(tmp_path / "out.mkv")) == len(scenes)
    (sound,), (given,) = payloads(tmp_path / "out.mkv", "audio"), payloads(clip, "audio")
    assert sound == given[: len(sound)]
    assert len(sound) > len(given) // 2


def shown(stream: OtherStream) -> list[Fraction]:
    """The times of its packets; each must have one."""
    shown = [time for time, _ in stream.packets if time is not None]
    assert len(shown) == len(stream.packets)
    return shown


@pytest.mark.parametrize("output", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("gap_s", [0, 2])
def test_a_second_video_with_b_frames_keeps_its_decoding_order(tmp_path: Path, output: str, gap_s: int) -> None:
    second = StreamPlan("reordered", gaps=((5, Fraction(gap_s)),))
    clip = build(FilePlan(".mkv", (StreamPlan("mpeg4"), second)), tmp_path / "in.mkv")
    _, sink = annotate(clip, tmp_path / f"out{output}", options=FAST)
    (given,), (written,) = contents(clip).streams, contents(tmp_path / f"out{output}", best=False).streams
    assert [data for _, data in written.packets] == [data for _, data in given.packets]
    offsets = [after - before for before, after in zip(shown(given), shown(written), strict=True)]
    assert max(offsets) - min(offsets) <= given.step_s + written.step_s
    assert not any("went back" in note for note in sink.notes)


@pytest.mark.parametrize("output", [".mp4", ".mov"])
@pytest.mark.parametrize("offset_s", [0, 26541])
def test_late_subtitles_keep_their_times(tmp_path: Path, output: str, offset_s: int) -> None:
    streams = (StreamPlan("h264"), StreamPlan("subtitle", Fraction(3), Fraction(1, 2)))
    clip = build(FilePlan(".mp4", streams, Fraction(offset_s)), tmp_path / "in.mp4")
    annotate(clip, tmp_path / f"out{output}", options=FAST)
    (text,) = contents(tmp_path / f"out{output}").streams
    shown = [(time, data[2:].decode()) for time, data in text.packets]
    assert shown == [(k + Fraction(1, 2), f"subtitle 0 1 {k}") for k in range(3)]


def test_a_long_pause_in_an_avi_repeats_frames_and_is_noted(tmp_path: Path) -> None:
    gap = ((10, Fraction(130)),)
    streams = (StreamPlan("h264", gaps=gap), StreamPlan("mp3"))
    clip = build(FilePlan(".mp4", streams), tmp_path / "in.mp4")
    scenes, sink = annotate(clip, tmp_path / "out.avi")
    made = contents(tmp_path / "out.avi")
    assert made.numbers == [*range(10), 9, 9, *range(10, 25)]
    kept = [time for k, time in enumerate(made.times) if k not in (10, 11)]
    assert kept == times(scenes)
    assert "avi cannot hold a pause of more than 50000 steps: 2 frames are repeated" in sink.notes


@pytest.mark.parametrize("output", [".mp4", ".mkv"])
@pytest.mark.parametrize("codec", ["mp3", "aac", "mjpeg", "opus"])
def test_packets_without_a_duration_are_kept(tmp_path: Path, output: str, codec: str) -> None:
    streams = (StreamPlan("mpeg4"), StreamPlan(codec, durations="missing"))
    clip = build(FilePlan(".mkv", streams), tmp_path / "in.mkv")
    annotate(clip, tmp_path / f"out{output}", options=FAST)
    (given,), (written,) = contents(clip).streams, contents(tmp_path / f"out{output}", best=False).streams
    assert [data for _, data in written.packets] == [data for _, data in given.packets]


@pytest.mark.parametrize("output", [".mp4", ".mkv", ".avi", ".mov"])
@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".flv"])
def test_an_output_begins_at_zero_for_every_input(tmp_path: Path, suffix: str, output: str) -> None:
    streams = (StreamPlan("h264"), StreamPlan("aac", Fraction(1)))
    clip = build(FilePlan(suffix, streams, Fraction(26541)), tmp_path / f"in{suffix}")
    scenes, sink = annotate(clip, tmp_path / f"out{output}")
    written = times(decoded(tmp_path / f"out{output}"))
    assert len(written) == len(scenes)
    assert 0 <= written[0] < Fraction(1, 10)
    assert written[-1] < 2
    assert (tmp_path / f"out{output}").stat().st_size < 500_000  # an AVI has an entry for every step without a frame
    (kept,) = payloads(tmp_path / f"out{output}", "audio")
    heard = [time for time, _ in kept if time is not None]
    assert max(heard) - min(heard) > Fraction(8, 10)
    assert any("the clock of the input starts at 265" in note for note in sink.notes)
