"""The media time of packets, and the first packet of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import pytest
from av.stream import Disposition

from streamer.clips.clip import first_packet
from streamer.clips.packets import PacketTimes, RingPacket, RingStream, next_shown, reorder_delay
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.values.frame import Frame

TICK = Fraction(1, 90000)
STEP = 3600
PICTURE = av.VideoFrame(16, 16, "yuv420p")


def stream(number: int = 0, size: tuple[int, int] = (640, 360)) -> RingStream:
    described = PassthroughStream(0, "video", "h264", None, TICK, {}, Disposition(0))
    return RingStream(number, described, ("h264", *size), size)


def packets(pts: Sequence[int | None], first: int = 0, of: RingStream | None = None) -> list[RingPacket]:
    """Packets in decoding order, the first one a keyframe; each arrives a second after the one before."""
    owner = of or stream()
    return [
        RingPacket(first + at, owner, PassthroughPacket(b"", ticks, None, is_key=at == 0), float(first + at))
        for at, ticks in enumerate(pts)
    ]


def frame(media: int, raw: int | None, captured_s: float = 0.0) -> Frame:
    """A live frame at a media time in steps."""
    return Frame(PICTURE, 0, media * STEP, TICK, captured_s, raw_pts=raw, arrival_wall_clock_s=1e9)


def times_of(given: Sequence[RingPacket]) -> list[Fraction | None]:
    """In steps."""
    return [None if one.time is None else one.time / (STEP * TICK) for one in given]


def test_reordered_packets_get_the_times_of_their_frames() -> None:
    times = PacketTimes()
    group = packets([100 * STEP, 103 * STEP, 101 * STEP, 102 * STEP])
    for one in group:
        times.add(one)
    for media in range(3):
        times.place(frame(media, (100 + media) * STEP))
    assert times_of(group) == [0, None, 1, 2]
    times.place(frame(3, 103 * STEP))
    assert times_of(group) == [0, 3, 1, 2]


def test_a_packet_without_a_frame_gets_a_time_between_its_neighbours() -> None:
    times = PacketTimes()
    group = packets([0, STEP, 2 * STEP])
    for one in group:
        times.add(one)
    times.place(frame(10, 0))
    times.place(frame(12, 2 * STEP))
    assert times_of(group) == [10, 11, 12]


def test_the_first_packet_of_rtsp_has_no_time_stamp() -> None:
    times = PacketTimes()
    group = packets([None, STEP])
    for one in group:
        times.add(one)
        times.place(frame(one.number, one.content.pts, captured_s=one.arrived_s - 0.001))
    assert times_of(group) == [0, 1]


def test_a_clock_that_goes_back_changes_no_time() -> None:
    times = PacketTimes()
    group = packets([1_000_000, 1_000_000 + STEP, 0, STEP])
    for one in group:  # packets can arrive before the frames of earlier ones are taken
        times.add(one)
    for media, one in enumerate(group):
        times.place(frame(media, one.content.pts))
    assert times_of(group) == [0, 1, 2, 3]


def test_packets_of_a_lost_connection_are_not_waited_for() -> None:
    times = PacketTimes()
    before, after = packets([0, STEP, 2 * STEP]), packets([500], 3, stream(1))
    for one in (*before, *after):
        times.add(one)
    times.place(frame(0, 0))
    times.place(frame(50, 500))
    assert times_of(before) == [0, 1, 2]
    assert times_of(after) == [50]


def test_packets_from_before_the_first_frame_keep_their_distance() -> None:
    """Frames are not taken while a model loads, for a minute or longer."""
    times = PacketTimes()
    group = packets([number * 90000 for number in range(100)])
    for one in group:
        times.add(one)
    times.place(frame(0, 99 * 90000))
    assert [one.time for one in group] == [number - 99 for number in range(100)]


def test_frames_that_come_after_their_times_were_estimated_shift_no_other() -> None:
    """A clip that waits no longer estimates times; the frames of a slow display still come."""
    times = PacketTimes()
    group = packets([0, STEP, 2 * STEP, 3 * STEP])
    for one in group:
        times.add(one)
    times.place(frame(0, 0))
    times.estimate_all()
    assert times_of(group) == [0, 1, 2, 3]
    for media in (11, 12, 13):
        times.place(frame(media, (media - 10) * STEP))
    assert times_of(group) == [0, 11, 12, 13]


def timed(steps: Sequence[int], first: int = 0, of: RingStream | None = None) -> list[RingPacket]:
    """Packets with media times in steps."""
    made = packets([None] * len(steps), first, of)
    for one, step in zip(made, steps, strict=True):
        one.time = step * STEP * TICK
    return made


@pytest.mark.parametrize(
    ("begin", "expected"), [(-5, 0), (0, 0), (9, 0), (10, 10), (15, 10), (25, 20)], ids=lambda value: str(value)
)
def test_a_clip_begins_with_the_keyframe_at_or_before_its_time(begin: int, expected: int) -> None:
    held = [*timed(range(10)), *timed(range(10, 20), 10), *timed(range(20, 30), 20)]
    found = first_packet(held, begin * STEP * TICK, 29 * STEP * TICK)
    assert found is held[expected]


def test_a_clip_begins_with_the_format_in_which_its_event_starts() -> None:
    changed = timed(range(10, 20), 10, stream(1, (1280, 720)))
    held = [*timed(range(10)), *changed]
    assert first_packet(held, 2 * STEP * TICK, 9 * STEP * TICK) is held[0]
    assert first_packet(held, 2 * STEP * TICK, 12 * STEP * TICK) is changed[0]
    same = [*timed(range(10)), *timed(range(10, 20), 10, stream(1))]
    assert first_packet(same, 2 * STEP * TICK, 12 * STEP * TICK) is same[0]


def test_a_stream_without_keyframes_begins_with_its_first_packet() -> None:
    held = timed(range(10))[1:]
    assert first_packet(held, 5 * STEP * TICK, 9 * STEP * TICK) is held[0]


def test_decoding_times_follow_the_order_of_presentation() -> None:
    assert next_shown([Fraction(0), Fraction(3), Fraction(1), Fraction(2)]) == [0, 1, 1, 2]
    group = timed([0, 3, 1, 2])
    for one, dts in zip(group, (None, None, 0, STEP), strict=True):
        one.content = PassthroughPacket(b"", round((one.time or 0) / TICK), dts)
    assert reorder_delay(group) == STEP * TICK
