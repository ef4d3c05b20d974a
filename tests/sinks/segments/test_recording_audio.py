"""Recordings with audio: each file has its audio from the first to the last frame, in sync."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.errors import SinkError, SinkUnavailable
from streamer.interfaces import Scene
from streamer.media.passthrough import Passthrough
from streamer.sinks.muxing.audio import add_described
from streamer.sinks.segments import recorder
from streamer.sinks.segments.recording import RecordingSink
from streamer.sinks.segments.streams import LATE_S
from streamer.sources.file.file import FileSource
from streamer.values.states import FrameState
from tests.sinks.making import recording_sink
from tests.sinks.muxing.claps import CLAP_FIRST, SIZE, Feed, clap_scene, claps_in, click_track, write_claps
from tests.sinks.scenes import LABELS, decoded, info, payloads, tracks
from tests.sinks.segments.test_recording import Wall

INFO = info(size=SIZE)
FIRST_S = CLAP_FIRST * 0.04


def record(pattern: Path, feed: Feed, scenes: Iterable[Scene], **options: Any) -> RecordingSink:
    settings: dict[str, Any] = {"now": Wall(), "reserve_bytes": 0, "segment_s": 1.0} | options
    sink = recording_sink(pattern, INFO, passthrough=feed.passthrough, **settings)
    with sink:
        feed.passthrough.begin()
        for one in scenes:
            sink.write(feed.come(one))
    return sink


def sound_of(path: Path) -> tuple[str, float, float]:
    """Codec, begin and end of the audio, seconds."""
    container: Any
    with av.open(str(path)) as container:
        name = container.streams.audio[0].codec_context.name
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    ends = [packets[0].pts * packets[0].time_base, (packets[-1].pts + packets[-1].duration) * packets[-1].time_base]
    return name, float(ends[0]), float(ends[1])


def in_step(path: Path) -> bool:
    seen, heard = claps_in(path)
    return len(seen) == len(heard) and all(abs(a - b) <= 0.04 for a, b in zip(seen, heard, strict=True))


@pytest.mark.parametrize(
    ("codec", "rate_hz", "suffix", "written", "late_s"),
    [
        ("pcm_mulaw", 8000, ".mp4", "aac", 0.3),
        ("pcm_mulaw", 8000, ".mp4", "aac", 1.4),
        ("pcm_mulaw", 8000, ".mkv", "pcm_mulaw", 0.3),
        ("pcm_alaw", 8000, ".mov", "pcm_alaw", 0.0),
        ("aac", 48000, ".mp4", "aac", 1.4),
        ("aac", 16000, ".mkv", "aac", 0.0),
        ("libopus", 48000, ".mp4", "opus", 0.3),
    ],
)
def test_every_file_has_audio_in_sync(
    tmp_path: Path, codec: str, rate_hz: int, suffix: str, written: str, late_s: float
) -> None:
    feed = Feed(click_track(codec, 7.0, rate_hz=rate_hz), late_s=late_s)
    sink = record(tmp_path / f"a{suffix}", feed, map(clap_scene, range(150)), segment_s=2.0)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    noted = ["mp4 cannot hold the audio stream 0 (pcm_mulaw) of the input: encoded as aac"]
    assert sink.notes == (noted if codec == "pcm_mulaw" and suffix == ".mp4" else [])
    for path in files[:-1]:
        assert claps_in(path)[0] == pytest.approx([FIRST_S, FIRST_S + 1])
        assert in_step(path)
        name, begin, end = sound_of(path)
        assert name == written
        assert -0.03 < begin < 0.07
        assert 2.0 <= end < 2.07
    name, begin, end = sound_of(files[-1])
    assert end == pytest.approx(2.0 - late_s, abs=0.07)  # what came before the recording ended


def test_every_packet_is_in_exactly_one_file(tmp_path: Path) -> None:
    stream, packets = click_track("aac", 6.0)
    record(tmp_path / "a.mkv", Feed((stream, packets), late_s=0.2), map(clap_scene, range(125)))
    found = [digest for path in sorted(tmp_path.iterdir()) for _, digest in payloads(path, "audio")[0]]
    (given,) = payloads(_written(tmp_path / "whole.mkv", stream, packets), "audio")
    assert found == [digest for _, digest in given][1 : len(found) + 1]  # without what begins before the first frame
    assert len(found) == pytest.approx(4.8 * 48000 / 1024, abs=2)


def _written(path: Path, stream: Any, packets: Any) -> Path:
    output: Any
    with av.open(str(path), "w") as output:
        added = add_described(output, stream.template)
        for given in packets:
            packet = given.packet()
            packet.time_base, packet.stream = stream.time_base, added
            output.mux(packet)
    return path


def test_a_file_waits_a_limited_time_for_late_audio(tmp_path: Path) -> None:
    stream, packets = click_track("pcm_mulaw", 10.0, rate_hz=8000)
    stops = [one for one in packets if one.ticks * stream.time_base < Fraction(3, 2)]
    with recording_sink(
        tmp_path / "a.mkv",
        INFO,
        passthrough=(feed := Feed((stream, stops), late_s=0.5)).passthrough,
        now=Wall(),
        reserve_bytes=0,
        segment_s=5.0,
    ) as sink:
        feed.passthrough.begin()
        done = []
        for number in range(25 * 10):
            sink.write(feed.come(clap_scene(number)))
            if number * 0.04 >= 5.0:
                done.append(any(not path.name.startswith(".") for path in tmp_path.iterdir()))
    first = done.index(True) if True in done else len(done)
    assert first >= LATE_S * 25  # no sound came for its last seconds
    files = sorted(tmp_path.iterdir())
    assert [len(decoded(path)) for path in files] == [125, 125]
    assert sound_of(files[0])[2] == pytest.approx(1.5, abs=0.03)


def test_audio_that_stops_does_not_delay_the_video(tmp_path: Path) -> None:
    stream, packets = click_track("aac", 1.5)
    sink = record(tmp_path / "a.mp4", Feed((stream, packets)), map(clap_scene, range(100)))
    files = sorted(tmp_path.iterdir())
    assert [len(decoded(path)) for path in files] == [25] * 4
    assert sink.written == 100
    assert in_step(files[0])


def test_other_audio_begins_a_new_file(tmp_path: Path) -> None:
    first, second = click_track("pcm_mulaw", 2.0, rate_hz=8000), click_track("aac", 5.0)
    late = [one for one in second[1] if one.ticks * second[0].time_base >= 2]
    feed = Feed(first, (second[0], late))
    feed.passthrough.replace_streams([first[0]])

    def scenes() -> Iterable[Scene]:
        for number in range(100):
            if number == 50:
                feed.passthrough.replace_streams([second[0]])
            yield clap_scene(number)

    record(tmp_path / "a.mkv", feed, scenes(), segment_s=60.0)
    files = sorted(tmp_path.iterdir())
    assert [sound_of(path)[0] for path in files] == ["pcm_mulaw", "aac"]
    assert sum(len(decoded(path)) for path in files) == 100
    assert all(map(in_step, files))


def test_the_same_audio_after_a_reconnect_stays_in_its_file(tmp_path: Path) -> None:
    feed = Feed(click_track("aac", 5.0))

    def scenes() -> Iterable[Scene]:
        for number in range(100):
            if number == 50:
                feed.passthrough.replace_streams(feed.passthrough.streams)
            yield clap_scene(number)

    record(tmp_path / "a.mkv", feed, scenes(), segment_s=60.0)
    (path,) = tmp_path.iterdir()
    assert in_step(path)


def test_several_audio_streams_are_recorded(tmp_path: Path) -> None:
    feed = Feed(click_track("aac", 4.0), click_track("pcm_mulaw", 4.0, rate_hz=8000))
    record(tmp_path / "a.mkv", feed, map(clap_scene, range(75)))
    for path in tmp_path.iterdir():
        with av.open(str(path)) as container:
            assert [stream.codec_context.name for stream in container.streams.audio] == ["aac", "pcm_mulaw"]
        assert [len(one) > 40 for one in payloads(path, "audio")] == [True, True]


def test_a_full_disk_drops_audio_with_the_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = {"free": True}

    def require_room(path: Path, reserve_bytes: int) -> None:  # noqa: ARG001
        if not room["free"]:
            raise SinkError("full") from OSError(28, os.strerror(28))

    monkeypatch.setattr(recorder, "require_room", require_room)
    feed = Feed(click_track("aac", 12.0))
    clock = iter(float(k) for k in range(0, 100_000, 60))

    def scenes() -> Iterable[Scene]:
        for number in range(250):
            room["free"] = not 60 <= number < 160
            yield clap_scene(number)

    sink = record(tmp_path / "a.mkv", feed, scenes(), segment_s=60.0, clock=lambda: next(clock))
    files = sorted(tmp_path.iterdir())
    assert sink.skipped == 100
    assert [len(decoded(path)) for path in files] == [60, 90]
    for path, seconds in zip(files, (2.4, 3.6), strict=True):
        _, begin, end = sound_of(path)
        assert begin < 0.05
        assert end == pytest.approx(seconds, abs=0.07)
        assert in_step(path)
    # Nothing is kept for later.
    assert feed.passthrough.dropped == 0
    assert not any(queue.packets for queue in feed.passthrough._queues.values())


def test_a_sink_that_cannot_be_entered_leaves_packets_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stream, _ = click_track("aac", 1.0)
    passthrough = Passthrough([stream], live=True)
    with pytest.raises(SinkUnavailable), recording_sink(tmp_path / "file" / "a.mp4", INFO, passthrough=passthrough):
        pytest.fail("the sink opened")
    assert not passthrough.begin()


def test_segments_of_a_file_have_all_of_its_audio(tmp_path: Path) -> None:
    clip = write_claps(tmp_path / "in.mkv", "aac", 4.0)
    with FileSource(clip) as source:
        sink = recording_sink(
            tmp_path / "out" / "a.mkv",
            source.info,
            passthrough=source.passthrough,
            segment_s=1.0,
            now=Wall(),
            reserve_bytes=0,
        )
        with sink:
            for frame in source:
                sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == 4
    assert all(map(in_step, files))
    (given,) = payloads(clip, "audio")
    found = [digest for path in files for _, digest in payloads(path, "audio")[0]]
    assert found == [digest for _, digest in given][1:]  # without what begins before the first frame


def test_a_source_without_audio_is_recorded(tmp_path: Path) -> None:
    record(tmp_path / "with.mkv", Feed(), map(clap_scene, range(30)), segment_s=60.0)
    plain = recording_sink(tmp_path / "without.mkv", INFO, now=Wall(), reserve_bytes=0, segment_s=60.0)
    with plain:
        for number in range(30):
            plain.write(clap_scene(number))
    one, other = sorted(tmp_path.iterdir())
    assert payloads(one, "video") == payloads(other, "video")
