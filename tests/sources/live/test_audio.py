"""The audio of live sources keeps its offset to the video over clock jumps and reconnections."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition

from streamer.config.source import SourceSettings
from streamer.media.passthrough import MEMORY_BYTES, Passthrough
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sources.file.file import FileSource
from streamer.sources.live.audio import LiveAudio
from streamer.sources.live.connection import LiveFrame, LivePacket
from streamer.sources.live.live import LiveSource
from streamer.sources.live.paced import PacedConnector
from streamer.sources.network.connector import NetworkConnector
from streamer.values.frame import Frame
from tests.faults.gstreamer import GStreamerServer, missing
from tests.pipeline.parts import DEADLINE_S
from tests.sources.live.sounding import FPS, steps_s, write_sounding

MOST_APART_S = 0.04
CLOCK = Fraction(1, 48000)


def sound_stream(index: int = 1, codec: str = "aac", rate_hz: int = 48000) -> PassthroughStream:
    return PassthroughStream(index, "audio", codec, None, CLOCK, {}, Disposition(0), rate_hz, 1024)


def packet(stream: PassthroughStream, ticks: int, arrived_s: float = 0.0, data: bytes = b"") -> LivePacket:
    return LivePacket(stream, PassthroughPacket(data or b"%d" % ticks, ticks, ticks, 1024), arrived_s)


def shown(pts: int | None, arrived_s: float = 0.0) -> LiveFrame:
    return LiveFrame(av.VideoFrame(16, 16, "gray"), pts, Fraction(1, 90000), arrived_s)


class Heard:
    """A `LiveAudio` with a subscriber."""

    def __init__(self) -> None:
        self.passthrough = Passthrough(live=True)
        self.sound = LiveAudio(self.passthrough)
        self.subscription = self.passthrough.subscribe()
        self.passthrough.begin()

    def times(self) -> list[int]:
        """Times of the packets since the last call, in samples."""
        return [one.ticks for _, one in self.subscription.take(None)]


def test_audio_keeps_its_distance_to_the_video() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    # The camera's clock shows 100 s; the frame becomes the one at 2 s.
    for k in range(3):
        heard.sound.put(1, packet(stream, 100 * 48000 - 2048 + k * 1024))
    heard.sound.release(shown(100 * 90000), Fraction(2))
    assert heard.times() == [2 * 48000 - 2048, 2 * 48000 - 1024, 2 * 48000]


def test_audio_that_is_ahead_waits_for_its_frame() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    heard.sound.put(1, packet(stream, 48000 + 480))
    heard.sound.release(shown(90000), Fraction(1))
    assert heard.times() == []
    heard.sound.release(shown(90000 + 3600), Fraction(26, 25))
    assert heard.times() == [48000 + 480]


def test_jitter_of_time_stamps_makes_no_gaps() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    for k, jitter in enumerate((0, 200, -300, 500, 0)):
        heard.sound.put(1, packet(stream, 48000 + k * 1024 + jitter))
    heard.sound.release(shown(2 * 90000), Fraction(2))
    assert heard.times() == [48000 + k * 1024 for k in range(5)]


def test_a_pause_in_the_audio_stays_a_pause() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    heard.sound.put(1, packet(stream, 48000))
    heard.sound.put(1, packet(stream, 2 * 48000))
    heard.sound.release(shown(2 * 90000), Fraction(2))
    assert heard.times() == [48000, 2 * 48000]


def test_unrelated_clocks_are_aligned_by_arrival() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    heard.sound.put(1, packet(stream, 5000 * 48000, arrived_s=70.5))
    heard.sound.release(shown(90000, arrived_s=71.0), Fraction(3))
    assert heard.times() == [round(2.5 * 48000)]
    heard.sound.put(1, packet(stream, 0, arrived_s=72.0))
    heard.sound.release(shown(None, arrived_s=72.25), Fraction(17, 4))
    assert heard.times() == [4 * 48000]


def test_audio_before_the_first_frame_is_dropped() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    heard.sound.put(1, packet(stream, 48000 - 1024))
    heard.sound.put(1, packet(stream, 48000))
    heard.sound.release(shown(90000), Fraction(0))
    assert heard.times() == [0]


def test_the_same_audio_after_a_reconnection_is_the_same_stream() -> None:
    heard, before, after = Heard(), sound_stream(), sound_stream(index=2)
    heard.sound.begin(1, [before])
    heard.sound.begin(2, [after])
    assert heard.passthrough.streams == (before,)
    heard.sound.put(1, packet(before, 48000))  # a connection that was given up
    heard.sound.put(2, packet(after, 96000))
    heard.sound.release(shown(2 * 90000), Fraction(9))
    assert [(stream, one.ticks) for stream, one in heard.subscription.take(None)] == [(before, 9 * 48000)]


def test_other_audio_after_a_reconnection_is_another_stream() -> None:
    heard, before, after = Heard(), sound_stream(), sound_stream(codec="pcm_alaw", rate_hz=8000)
    heard.sound.begin(1, [before])
    heard.sound.begin(2, [after])
    assert heard.passthrough.streams == (after,)
    heard.sound.begin(3, [])
    assert len(heard.passthrough.streams) == 0


def test_audio_never_goes_back() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    for ticks in (48000, 48000 + 1024, 48000 - 5000, 48000 + 2048):
        heard.sound.put(1, packet(stream, ticks))
    heard.sound.release(shown(2 * 90000), Fraction(2))
    times = heard.times()
    assert times == sorted(set(times))


def test_audio_without_an_output_uses_no_memory() -> None:
    passthrough, stream = Passthrough(live=True), sound_stream()
    sound = LiveAudio(passthrough)
    sound.begin(1, [stream])
    passthrough.begin()
    for k in range(10_000):
        sound.put(1, packet(stream, k * 1024))
    sound.release(shown(10_000 * 1024 * 90000 // 48000), Fraction(500))
    assert passthrough.subscribe().take(None) == []


def played(source: LiveSource, count: int) -> tuple[list[Frame], Sequence[tuple[PassthroughStream, PassthroughPacket]]]:
    """This many frames of a live source, and the audio packets up to them."""
    with source as opened:
        assert opened.passthrough is not None
        subscription = opened.passthrough.subscribe()
        frames = list(itertools.islice(opened, count))
        return frames, subscription.take(None)


def test_a_paced_file_has_its_audio(tmp_path: Path) -> None:
    clip = write_sounding(tmp_path / "clip.mkv", seconds=3)
    source = LiveSource(PacedConnector(lambda: FileSource(clip), "clip"), SourceSettings(stall_s=DEADLINE_S))
    frames, packets = played(source, 2 * FPS)
    steps = steps_s(clip, frames, packets)
    assert len(steps) > 60
    assert max(map(abs, steps)) < MOST_APART_S


@pytest.mark.system
@pytest.mark.skipif(bool(missing()), reason=f"no GStreamer server: {missing()}")
@pytest.mark.parametrize(("codec", "rate_hz"), [("aac", 48000), ("pcm_alaw", 8000)])
def test_the_audio_of_a_camera_is_in_sync(tmp_path: Path, codec: str, rate_hz: int) -> None:
    clip = write_sounding(tmp_path / "clip.mov", codec=codec, rate_hz=rate_hz)
    with GStreamerServer(file=clip, sound=codec) as server:
        source = LiveSource(NetworkConnector(server.url("/file")), SourceSettings(stall_s=DEADLINE_S))
        frames, packets = played(source, 4 * FPS)
    steps = steps_s(clip, frames, packets)
    assert len(steps) > 80
    assert max(map(abs, steps)) < MOST_APART_S


@pytest.mark.system
@pytest.mark.skipif(bool(missing()), reason=f"no GStreamer server: {missing()}")
def test_audio_can_be_turned_off(tmp_path: Path) -> None:
    clip = write_sounding(tmp_path / "clip.mov")
    with GStreamerServer(file=clip) as server:
        settings = SourceSettings(audio=False, stall_s=DEADLINE_S)
        source = LiveSource(NetworkConnector(server.url("/file"), settings), settings)
        frames, packets = played(source, FPS)
    assert len(frames) == FPS
    assert packets == []


def test_waiting_packets_of_a_lost_connection_are_dropped() -> None:
    heard, before, after = Heard(), sound_stream(), sound_stream(index=2)
    heard.sound.begin(1, [before])
    heard.sound.put(1, packet(before, 48000))
    heard.sound.begin(2, [after])
    heard.sound.release(shown(90000), Fraction(1))
    assert heard.times() == []


def test_two_equal_streams_stay_two_after_a_reconnection() -> None:
    heard = Heard()
    first, second = sound_stream(1), sound_stream(2)
    heard.sound.begin(1, [first, second])
    heard.sound.begin(2, [sound_stream(1), sound_stream(2)])
    assert heard.passthrough.streams == (first, second)


def test_packets_without_a_duration_get_that_of_their_codec() -> None:
    heard, stream = Heard(), sound_stream()
    heard.sound.begin(1, [stream])
    for k, jitter in enumerate((0, 300, -300)):
        ticks = 48000 + k * 1024 + jitter
        heard.sound.put(1, LivePacket(stream, PassthroughPacket(b"%d" % k, ticks, ticks), 0.0))
    heard.sound.release(shown(2 * 90000), Fraction(2))
    assert heard.times() == [48000, 48000 + 1024, 48000 + 2048]


def test_dropped_audio_packets_are_reported(tmp_path: Path) -> None:
    clip = write_sounding(tmp_path / "clip.mkv", seconds=1)
    source = LiveSource(PacedConnector(lambda: FileSource(clip), "clip"), SourceSettings(stall_s=DEADLINE_S))
    with source as opened:
        assert opened.passthrough is not None
        opened.passthrough.subscribe()
        for k in range(3):
            opened.passthrough.put(sound_stream(), PassthroughPacket(bytes(MEMORY_BYTES // 2), k, k))
    assert source.notes == ["clip: 2 audio packets were dropped: no output took them"]
