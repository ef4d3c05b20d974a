"""Pictures that H.264 counts and that are not there; streams that are whole have no gaps, however they are coded."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from streamer.sources.damage.frame_numbers import FrameNumbers
from streamer.sources.damage.loss import LossDetector

FRAMES = 40


def coded(parameters: str, pixel_format: str = "yuv420p", frames: int = FRAMES) -> list[bytes]:
    """Packets of noise that moves."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = 128, 96, pixel_format
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {"preset": "veryfast", "x264-params": f"repeat-headers=1:keyint=20:scenecut=0:{parameters}"}
    noise = np.random.default_rng(1).integers(16, 235, (96, 256)).astype(np.uint8)
    packets: list[bytes] = []
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(noise[:, number % 100 : number % 100 + 128].copy(), "gray").reformat(
            format=pixel_format
        )
        frame.pts, frame.time_base = number, Fraction(1, 25)
        packets += map(bytes, context.encode(frame))
    return packets + list(map(bytes, context.encode(None)))


def gaps(packets: list[bytes]) -> list[int]:
    numbers = FrameNumbers()
    return [at for at, packet in enumerate(packets) if numbers.gap(packet)]


@pytest.mark.parametrize(
    "parameters",
    [
        "bframes=0",
        "bframes=3:b-pyramid=normal:ref=4",
        "bframes=2:interlaced=1",
        "bframes=0:intra-refresh=1",
        "bframes=2:open-gop=1",
        "bframes=0:cqm=jvt",
        "bframes=0:slice-max-size=200",
        "bframes=0:cabac=0",
    ],
)
def test_intact_streams_have_no_gaps(parameters: str) -> None:
    assert gaps(coded(parameters)) == []


def test_444_video_and_length_prefixed_units() -> None:
    packets = coded("bframes=0", "yuv444p")
    assert gaps(packets) == []
    lengths: list[bytes] = []
    for packet in packets:
        units = packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
        lengths.append(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units))
    assert gaps(lengths) == []
    assert gaps(lengths[:5] + lengths[6:]) == [5]


@pytest.mark.parametrize("at", [1, 7, 19, 25])
def test_a_missing_reference_picture_is_found(at: int) -> None:
    packets = coded("bframes=0")
    expected = [] if at == 19 else [at]  # no frame depends on the last one before a keyframe
    assert gaps(packets[:at] + packets[at + 1 :]) == expected


def test_a_missing_unreferenced_picture_is_ignored() -> None:
    packets = coded("bframes=2:b-pyramid=none:b-adapt=0")
    disposable = [at for at, one in enumerate(packets) if one[4] & 0x60 == 0 and one[4] & 0x1F == 1]
    assert disposable
    assert gaps([one for at, one in enumerate(packets) if at not in disposable]) == []


def test_a_camera_that_counts_by_two_has_no_gaps() -> None:
    packets = coded("bframes=0")
    found = gaps(packets[:1] + packets[2:19:2])  # 1, 3, 5, ... behind a key frame: each a gap
    assert len(found) == 3


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\1", b"\0\0\0\1\x67", b"\0\0\0\1\x67" + bytes(9), b"\0\0\0\1\x41", b"x" * 9]
)
def test_truncated_or_unknown_data_is_no_gap(data: bytes) -> None:
    assert gaps([data, *coded("bframes=0")[:5], data]) == []


def decoded(packets: dict[int, bytes]) -> dict[int, tuple[bytes, str]]:
    """Pictures by the number of their packet, each with what is known against it."""
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    watch = LossDetector("h264", key_frames_only=False, numbers=FrameNumbers())
    seen: dict[int, tuple[bytes, str]] = {}
    for number, content in packets.items():
        packet: Any = av.Packet(content)
        packet.pts, packet.is_keyframe = number, number % 20 == 0
        if watch.admits(packet):
            frames = decoder.decode(packet)
            watch.decoded(packet)
            for frame in frames:
                seen[frame.pts] = frame.to_ndarray().tobytes(), watch.verdict_of(frame).cause
    return seen


def test_damage_without_key_frames_ends_with_a_complete_refresh() -> None:
    """A packet with a recovery point is flagged as keyframe, but frames are intact only some frames later."""
    packets = dict(enumerate(coded("bframes=0:intra-refresh=1", frames=120)))
    assert FrameNumbers.refresh(packets[20]) > 1
    whole = decoded(packets)
    assert {cause for _, cause in whole.values()} == {""}
    del packets[50]
    seen = decoded(packets)
    wrong = [number for number, (samples, _) in seen.items() if samples != whole[number][0]]
    assert wrong
    assert max(wrong) > 60  # behind the recovery point
    assert [number for number in wrong if not seen[number][1]] == []
    assert [number for number in range(100, 115) if seen[number][1]] == []
