"""Audio that an output cannot hold is encoded, in sync to the sample, and noted."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamer.media.passthrough_streams import (
    PassthroughPacket,
    PassthroughStream,
    describe_streams,
    passthrough_packet,
)
from streamer.sinks.muxing.audio import MOST_OFFSET_S, Transcoder
from tests.sinks.muxing.claps import CLAP_FIRST, claps_in, click_track, clicks, steps, write_claps
from tests.sinks.scenes import annotate

FIRST_S = CLAP_FIRST * 0.04


def encoded(stream: PassthroughStream, packets: Sequence[PassthroughPacket], **options: Any) -> Any:
    """An MP4 with the encoded packets, open for reading."""
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as output:
        transcoder = Transcoder(output, stream, **options)
        output.start_encoding()
        for packet in packets:
            output.mux(transcoder.encode(packet))
        output.mux(transcoder.finish())
    written.seek(0)
    return av.open(written)


def heard(stream: PassthroughStream, packets: Sequence[PassthroughPacket]) -> list[float]:
    with encoded(stream, packets) as container:
        return clicks(container.decode(audio=0))


def moved(
    stream: PassthroughStream, packets: Sequence[PassthroughPacket], after_s: float, by_s: float
) -> list[PassthroughPacket]:
    """Delay all packets from a time on."""
    ticks = round(by_s / stream.time_base)
    edge = after_s / stream.time_base
    return [
        one if one.ticks < edge else dataclasses.replace(one, pts=one.ticks + ticks, dts=one.ticks + ticks)
        for one in packets
    ]


# In files


@pytest.mark.parametrize(
    ("codec", "rate_hz", "source", "output", "became"),
    [
        ("pcm_mulaw", 8000, ".mov", ".mp4", "aac"),
        ("pcm_alaw", 8000, ".mkv", ".mp4", "aac"),
        ("aac", 48000, ".mp4", ".webm", "opus"),
        ("pcm_mulaw", 8000, ".mov", ".webm", "opus"),
        ("libopus", 48000, ".mkv", ".mov", "aac"),
        ("libopus", 48000, ".mkv", ".avi", "mp3"),
    ],
)
def test_audio_that_a_file_cannot_hold_is_encoded_and_noted(
    tmp_path: Path, codec: str, rate_hz: int, source: str, output: str, became: str
) -> None:
    clip = write_claps(tmp_path / f"in{source}", codec, rate_hz=rate_hz)
    _, sink = annotate(clip, tmp_path / f"out{output}")
    (note,) = [line for line in sink.notes if "audio" in line]
    assert note.endswith(f"encoded as {became}")
    assert f"audio stream 1 ({codec.removeprefix('lib')}) of the input" in note
    # MP3 in AVI has a decoder delay that the container cannot store.
    limit_s = 0.03 if output == ".avi" else 0.001
    assert steps(tmp_path / f"out{output}") == pytest.approx([0.0] * 3, abs=limit_s)


@pytest.mark.parametrize("output", [".mkv", ".mov", ".avi"])
@pytest.mark.parametrize("codec", ["pcm_mulaw", "pcm_alaw"])
def test_telephone_audio_is_copied_if_the_container_holds_it(tmp_path: Path, codec: str, output: str) -> None:
    clip = write_claps(tmp_path / "in.mov", codec, rate_hz=8000)
    _, sink = annotate(clip, tmp_path / f"out{output}")
    with av.open(str(tmp_path / f"out{output}")) as container:
        assert container.streams.audio[0].codec_context.name == codec
    assert [line for line in sink.notes if "audio" in line] == []
    assert steps(tmp_path / f"out{output}") == pytest.approx([0.0] * 3, abs=0.001)


def test_an_interrupted_file_has_encoded_audio_up_to_its_last_frame(tmp_path: Path) -> None:
    clip = write_claps(tmp_path / "in.mov", "pcm_mulaw", rate_hz=8000)
    annotate(clip, tmp_path / "out.mp4", frames=40)
    seen, found = claps_in(tmp_path / "out.mp4")
    assert seen == pytest.approx([FIRST_S, FIRST_S + 1])
    assert found == pytest.approx(seen, abs=0.001)
    with av.open(str(tmp_path / "out.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        ends = [float((stream.duration or 0) * (stream.time_base or 0)) for stream in (video, audio)]
    assert ends[1] == pytest.approx(ends[0], abs=0.15)  # a packet of the input


# In time


@pytest.mark.parametrize(
    ("codec", "rate_hz"), [("pcm_mulaw", 8000), ("aac", 48000), ("aac", 16000), ("libopus", 48000)]
)
def test_samples_keep_the_times_of_the_packets(codec: str, rate_hz: int) -> None:
    stream, packets = click_track(codec, 4.0, rate_hz=rate_hz)
    assert heard(stream, packets) == pytest.approx([FIRST_S + k for k in range(4)], abs=0.001)
    later = moved(stream, packets, -10.0, 7.123)
    assert heard(stream, later) == pytest.approx([7.123 + FIRST_S + k for k in range(4)], abs=0.001)


@pytest.mark.parametrize("gap_s", [0.1, 0.9, 1.5, 3600.0])
def test_audio_after_a_gap_has_its_time(gap_s: float) -> None:
    stream, packets = click_track("pcm_mulaw", 4.0, rate_hz=8000)
    found = heard(stream, moved(stream, packets, 1.0, gap_s))
    assert found == pytest.approx([FIRST_S, *(FIRST_S + gap_s + k for k in (1, 2, 3))], abs=0.001)


def test_a_gap_of_hours_gets_no_packets() -> None:
    stream, packets = click_track("pcm_mulaw", 4.0, rate_hz=8000)
    with encoded(stream, moved(stream, packets, 1.0, 7200.0)) as container:
        assert sum(1 for packet in container.demux(audio=0) if packet.size) < 250


def test_overlapping_audio_is_dropped() -> None:
    stream, packets = click_track("pcm_mulaw", 4.0, rate_hz=8000)
    again = [one for one in packets if 0.4 <= one.ticks * stream.time_base < 0.6]
    at = packets.index(again[-1]) + 1
    found = heard(stream, [*packets[:at], *again, *packets[at:]])
    assert found == pytest.approx([FIRST_S + k for k in range(4)], abs=0.001)


def test_times_continue_after_a_clock_restart() -> None:
    stream, packets = click_track("pcm_mulaw", 4.0, rate_hz=8000)
    found = heard(stream, moved(stream, packets, 2.0, -1000.0))
    assert found == pytest.approx([FIRST_S + k for k in range(4)], abs=0.001)


@pytest.mark.parametrize("drift", [0.995, 1.005])
def test_audio_follows_a_clock_that_drifts_from_the_samples(drift: float) -> None:
    stream, packets = click_track("pcm_mulaw", 20.0, rate_hz=8000)
    drifting = [dataclasses.replace(one, pts=round(one.ticks * drift), dts=round(one.ticks * drift)) for one in packets]
    wanted = [(FIRST_S + k) * drift for k in range(20)]
    assert heard(stream, drifting) == pytest.approx(wanted, abs=float(MOST_OFFSET_S) + 0.001)


def test_jitter_of_milliseconds_changes_no_sample() -> None:
    stream, packets = click_track("pcm_mulaw", 4.0, rate_hz=8000)
    shaken = [
        dataclasses.replace(one, pts=one.ticks + shake, dts=one.ticks + shake)
        for one, shake in zip(packets, np.random.default_rng(1).integers(-60, 60, len(packets)).tolist(), strict=True)
    ]
    with encoded(stream, [packets[0], *packets[1:]]) as one, encoded(stream, [packets[0], *shaken[1:]]) as other:
        assert [bytes(packet) for packet in one.demux()] == [bytes(packet) for packet in other.demux()]


# What it becomes


@pytest.mark.parametrize(
    ("rate_hz", "layout", "most", "became"),
    [
        (8000, "mono", 6, (48000, "mono")),
        (44100, "stereo", 6, (44100, "stereo")),
        (32000, "5.1", 6, (32000, "5.1")),
        (48000, "5.1", 2, (48000, "stereo")),
        (22050, "7.1", 6, (48000, "stereo")),
    ],
)
def test_encoded_audio_has_a_rate_and_layout_that_players_support(
    rate_hz: int, layout: str, most: int, became: tuple[int, str]
) -> None:
    stream, packets = _silence(rate_hz, layout)
    with encoded(stream, packets, most_channels=most) as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.sample_rate, context.layout.name) == ("aac", *became)


def _silence(rate_hz: int, layout: str) -> tuple[PassthroughStream, list[PassthroughPacket]]:
    written = io.BytesIO()
    with av.open(written, "w", format="matroska") as output:
        stream: Any = output.add_stream("flac", rate=rate_hz, layout=layout)
        channels = stream.codec_context.layout.nb_channels
        frame = av.AudioFrame.from_ndarray(np.zeros((1, rate_hz * channels), np.int16), format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    written.seek(0)
    opened: Any
    with av.open(written) as opened:
        (described,) = describe_streams(opened.streams.audio)
        return described, [passthrough_packet(packet) for packet in opened.demux(audio=0) if packet.size]


def test_damaged_packets_are_counted_and_the_rest_stays_in_sync() -> None:
    stream, packets = click_track("aac", 4.0)
    damaged = [dataclasses.replace(one, data=b"\xff" * 30) if 70 <= k < 80 else one for k, one in enumerate(packets)]
    with av.open(io.BytesIO(), "w", format="mp4") as output:
        transcoder = Transcoder(output, stream)
        output.start_encoding()
        for packet in damaged:
            output.mux(transcoder.encode(packet))
        output.mux(transcoder.finish())
    assert transcoder.lost == 10
    assert heard(stream, damaged)[-1] == pytest.approx(FIRST_S + 3, abs=0.001)
