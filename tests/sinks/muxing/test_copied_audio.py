"""Audio in an output: copied with its payload and times if the container holds it, else noted."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.clips import write_video
from tests.sinks.muxing.sounds import heard, write_sounds
from tests.sinks.scenes import annotate, decoded, payloads

FAST = {"preset": "ultrafast"}
SYNC = Fraction(1, 25)


def sound_notes(sink: Any) -> list[str]:
    return [note for note in sink.notes if "audio" in note or "packets" in note]


@pytest.mark.parametrize(
    "encoder", ["pcm_alaw", "pcm_mulaw", "g722", "g726", "wmav2", "adpcm_ms", "adpcm_ima_wav", "eac3", "flac"]
)
def test_audio_of_cameras_is_copied_into_matroska(tmp_path: Path, encoder: str) -> None:
    clip, target = write_sounds(tmp_path / "in.mkv", encoder), tmp_path / "out.mkv"
    _, sink = annotate(clip, target, options=FAST)
    assert heard(target) == heard(clip) != []
    assert payloads(target, "audio") == payloads(clip, "audio")
    assert sound_notes(sink) == []


@pytest.mark.parametrize("encoder", ["pcm_alaw", "pcm_mulaw"])
def test_g711_of_a_camera_goes_into_quicktime_but_not_into_mp4(tmp_path: Path, encoder: str) -> None:
    clip = write_sounds(tmp_path / "in.mkv", encoder)
    _, sink = annotate(clip, tmp_path / "out.mov", options=FAST)
    (given,), (written,) = heard(clip), heard(tmp_path / "out.mov")
    assert (written.codec, written.samples, written.digest) == (given.codec, given.samples, given.digest)
    assert sound_notes(sink) == []
    _, sink = annotate(clip, tmp_path / "out.mp4", options=FAST)
    (note,) = sink.notes
    assert note.startswith(f"mp4 cannot hold the audio stream 1 ({encoder}) of the input: ")


@pytest.mark.parametrize("encoder", ["eac3", "libopencore_amrnb"])
def test_audio_that_avi_would_play_at_another_speed_is_not_copied(tmp_path: Path, encoder: str) -> None:
    clip = write_sounds(tmp_path / "in.mkv", encoder)
    scenes, sink = annotate(clip, tmp_path / "out.avi")
    assert len(decoded(tmp_path / "out.avi")) == len(scenes)
    assert heard(clip)[0].codec not in [one.codec for one in heard(tmp_path / "out.avi")]
    (note,) = sound_notes(sink)
    assert note.startswith("avi cannot hold the audio stream 1 (")


@pytest.mark.parametrize("encoder", ["aac", "libmp3lame", "ac3", "mp2"])
def test_audio_in_avi_keeps_its_duration(tmp_path: Path, encoder: str) -> None:
    clip = write_sounds(tmp_path / "in.mkv", encoder)
    _, sink = annotate(clip, tmp_path / "out.avi")
    (given,), (written,) = heard(clip), heard(tmp_path / "out.avi")
    assert written.digest == given.digest
    assert abs((written.end - written.start) - (given.end - given.start)) <= SYNC
    assert sound_notes(sink) == []


@pytest.mark.parametrize("suffix", [".mov", ".avi"])
@pytest.mark.parametrize(("encoder", "level"), [("pcm_s16le", 0), ("pcm_alaw", 8), ("pcm_mulaw", 0), ("pcm_u8", 0)])
def test_gaps_in_uncompressed_audio_become_silence(tmp_path: Path, suffix: str, encoder: str, level: int) -> None:
    clip, target = write_sounds(tmp_path / "in.mkv", encoder, gap_s=Fraction(1)), tmp_path / f"out{suffix}"
    _, sink = annotate(clip, target, options={} if suffix == ".avi" else FAST)
    (given,), (written,) = heard(clip), heard(target)
    rate = {"pcm_alaw": 8000, "pcm_mulaw": 8000}.get(encoder, 48000)
    assert abs(written.end - given.end) <= SYNC
    assert abs(written.samples - 2 * rate) <= rate * SYNC
    with av.open(str(target)) as container:
        decoded_frames: Any = container.decode(audio=0)
        samples = np.concatenate([frame.to_ndarray().ravel() for frame in decoded_frames]).astype(int)
    channels = len(samples) // written.samples
    middle = samples[int(0.8 * rate) * channels : int(1.4 * rate) * channels]
    assert set(np.abs(middle - (128 if encoder == "pcm_u8" else 0))) == {level}
    assert sound_notes(sink) == []


def test_late_uncompressed_audio_is_in_sync_in_avi(tmp_path: Path) -> None:
    clip = write_sounds(tmp_path / "in.mkv", "pcm_s16le", late_s=Fraction(3, 2))
    _, sink = annotate(clip, tmp_path / "out.avi")
    (given,), (written,) = heard(clip), heard(tmp_path / "out.avi")
    assert written.start == 0
    assert abs(written.end - given.end) <= SYNC
    assert sound_notes(sink) == []


@pytest.mark.parametrize(
    ("more", "why"), [("late_s", "cannot hold a late start at 0.97"), ("gap_s", "cannot hold a gap")]
)
def test_audio_that_avi_would_play_too_early_is_noted(tmp_path: Path, more: str, why: str) -> None:
    clip = write_sounds(tmp_path / "in.mkv", "libmp3lame", **{more: Fraction(1)})
    scenes, sink = annotate(clip, tmp_path / "out.avi")
    assert len(decoded(tmp_path / "out.avi")) == len(scenes)
    (note,) = sound_notes(sink)
    assert why in note
    assert note.endswith("the audio stream 1 (mp3) is left out from there on")


def clip_with_rubbish(path: Path, codec: str, *, late: int = 0) -> Path:
    """A video and a stream whose packets are not of its codec."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=25, options=FAST)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        other: Any = output.add_mux_stream(codec, rate=48000)
        other.time_base = Fraction(1, 1000)
        output.start_encoding()
        for number in range(50):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
            if number >= late:
                packet: Any = av.Packet(hashlib.sha256(bytes([number])).digest() * 3)
                packet.pts, packet.dts, packet.time_base = number * 40, number * 40, Fraction(1, 1000)
                packet.duration, packet.stream = 40, other
                output.mux(packet)
        output.mux(video.encode(None))
    return path


@pytest.mark.parametrize("late", [0, 45])
@pytest.mark.parametrize("codec", ["ac3", "eac3", "truehd"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_a_stream_that_cannot_be_recovered_costs_no_frame(tmp_path: Path, suffix: str, codec: str, late: int) -> None:
    clip = clip_with_rubbish(tmp_path / "in.mkv", codec, late=late)
    scenes, sink = annotate(clip, tmp_path / f"out{suffix}", options=FAST if suffix != ".avi" else {})
    assert len(decoded(tmp_path / f"out{suffix}")) == len(scenes) == 50
    copied = payloads(tmp_path / f"out{suffix}", "audio")
    whole = copied and [digest for _, digest in copied[0]] == [d for _, d in payloads(clip, "audio")[0]]
    assert whole or sound_notes(sink)


def test_times_that_a_coarse_clock_rounds_together_are_kept(tmp_path: Path) -> None:
    # TrueHD has 1200 packets a second, Matroska 1000 ticks.
    clip = tmp_path / "in.mkv"
    write_video(tmp_path / "plain.mkv", size=(64, 48), frames=25)
    with av.open(str(tmp_path / "plain.mkv")) as plain, av.open(str(clip), "w") as output:
        video = output.add_stream_from_template(plain.streams.video[0], opaque=True)
        sound: Any = output.add_mux_stream("truehd", rate=48000)
        sound.time_base = Fraction(1, 1200)
        output.start_encoding()
        for packet in plain.demux():
            if packet.size:
                packet.stream = video
                output.mux(packet)
        for number in range(1200):
            made: Any = av.Packet(hashlib.sha256(bytes([number % 256])).digest())
            made.pts, made.dts, made.time_base, made.stream = number, number, Fraction(1, 1200), sound
            output.mux(made)
    _, sink = annotate(clip, tmp_path / "out.mkv", options=FAST)
    assert payloads(tmp_path / "out.mkv", "audio") == payloads(clip, "audio")
    assert sound_notes(sink) == []
