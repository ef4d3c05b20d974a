"""The jitter buffer of webcams, with RTP packets as a browser sends them."""

from __future__ import annotations

import time

import pytest
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from streamer.browser_camera.jitter_buffer import MOST_UNDECODED, NewestJitterBuffer, is_keyframe

KEYFRAME, OTHER = b"\x10key", b"\x11other"
INTERVAL = 6000


def packet(number: int, timestamp: int, data: bytes, *, marker: bool = True) -> RtpPacket:
    made = RtpPacket(sequence_number=number % (1 << 16), timestamp=timestamp % (1 << 32), marker=int(marker))
    made._data = data  # type: ignore[attr-defined]
    return made


def add(buffer: NewestJitterBuffer, *packets: RtpPacket) -> list[JitterFrame]:
    return [frame for one in packets if (frame := buffer.add(one)[1]) is not None]


def test_frame_is_complete_with_its_last_packet() -> None:
    buffer = NewestJitterBuffer(lambda: 0)
    assert add(buffer, packet(0, 0, KEYFRAME, marker=False)) == []
    (frame,) = add(buffer, packet(1, 0, b"rest"))
    assert frame.data == KEYFRAME + b"rest"
    assert frame.timestamp == 0


def test_packets_out_of_order_make_one_frame() -> None:
    buffer = NewestJitterBuffer(lambda: 0)
    add(buffer, packet(7, 0, KEYFRAME))
    frames = add(buffer, packet(9, INTERVAL, b"b"), packet(8, INTERVAL, OTHER, marker=False))
    assert [frame.data for frame in frames] == [OTHER + b"b"]


def test_padding_is_no_frame() -> None:
    """Chromium sends padding after a frame, with its time stamp, to measure the network."""
    buffer = NewestJitterBuffer(lambda: 0)
    frames = add(
        buffer,
        packet(0, 0, KEYFRAME),
        packet(1, 0, b"", marker=False),
        packet(2, INTERVAL, OTHER),
        packet(3, INTERVAL, b""),
    )
    assert [frame.data for frame in frames] == [KEYFRAME, OTHER]


def test_frames_go_on_over_wraps_of_number_and_time() -> None:
    buffer = NewestJitterBuffer(lambda: 0)
    first = (1 << 32) - INTERVAL
    frames = add(buffer, *(packet((1 << 16) - 2 + n, first + n * INTERVAL, OTHER) for n in range(4)))
    assert [frame.timestamp for frame in frames] == [first, 0, INTERVAL, 2 * INTERVAL]
    assert buffer.origin == first


def test_slow_decoder_loses_frames_up_to_the_next_keyframe() -> None:
    waiting = 0
    buffer = NewestJitterBuffer(lambda: waiting)
    assert len(add(buffer, packet(0, 0, KEYFRAME))) == 1
    waiting = MOST_UNDECODED
    asks, frame = buffer.add(packet(1, INTERVAL, OTHER))
    assert (asks, frame) == (True, None)
    waiting = 0
    assert add(buffer, packet(2, 2 * INTERVAL, OTHER)) == []  # it needs the frame that was dropped
    assert [frame.data for frame in add(buffer, packet(3, 3 * INTERVAL, KEYFRAME))] == [KEYFRAME]
    assert buffer.dropped == 2


def test_lost_request_for_a_keyframe_is_repeated() -> None:
    buffer = NewestJitterBuffer(lambda: MOST_UNDECODED)
    asks = [buffer.add(packet(n, n * INTERVAL, OTHER))[0] for n in range(31)]
    assert [n for n, one in enumerate(asks) if one] == [0, 15, 30]


def test_lost_packet_delays_no_later_keyframe(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiortc waits for it until its buffer of 512 packets is full."""
    now_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    buffer = NewestJitterBuffer(lambda: 0)
    add(buffer, packet(0, 0, KEYFRAME))
    asked = list[int]()
    for number in range(2, 12):  # packet 1 is lost
        now_s = number / 15
        asks, frame = buffer.add(packet(number, number * INTERVAL, OTHER))
        assert frame is None
        asked += [number] * asks
    assert asked == [6]  # 0.25 s after packet 2
    assert [frame.data for frame in add(buffer, packet(12, 12 * INTERVAL, KEYFRAME))] == [KEYFRAME]


def test_packet_that_is_sent_again_in_time_is_used() -> None:
    buffer = NewestJitterBuffer(lambda: 0)
    frames = add(buffer, packet(0, 0, KEYFRAME), packet(2, 2 * INTERVAL, OTHER), packet(1, INTERVAL, OTHER))
    frames += add(buffer, packet(3, 3 * INTERVAL, OTHER))
    assert [frame.timestamp for frame in frames] == [0, INTERVAL, 2 * INTERVAL]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x10\x02", True),
        (b"\x11\x02", False),
        (b"\x00\x00\x00\x01\x67sps\x00\x00\x00\x01\x68pps\x00\x00\x00\x01\x65idr", True),
        (b"\x00\x00\x00\x01\x61slice", False),
    ],
)
def test_keyframes_of_vp8_and_h264_are_found(data: bytes, *, expected: bool) -> None:
    assert is_keyframe(data) is expected
