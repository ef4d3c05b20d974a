"""The RTP packets of one viewer, read back with aiortc's parser."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiortc import rtp

from streamer.broadcast.h264 import EncodedFrame
from streamer.broadcast.rtp import HISTORY_FRAMES, MOST_AGAIN, WINDOW, RtpSender

PAYLOAD_TYPE = 102


class Wire:
    """The packets that a sender has sent, and how often it has asked for a keyframe."""

    def __init__(self, playout_delay: int | None = None) -> None:
        self.packets: list[rtp.RtpPacket] = []
        self.asked = 0
        self.is_full = False
        self.sender = RtpSender(PAYLOAD_TYPE, playout_delay, self._send, self._ask, "camera")

    def _send(self, packets: Sequence[bytes]) -> bool:
        if not self.is_full:
            self.packets += [rtp.RtpPacket.parse(packet) for packet in packets]
        return not self.is_full

    def _ask(self) -> None:
        self.asked += 1

    def hear(self, packet: rtp.AnyRtcpPacket) -> None:
        """The viewer sends RTCP."""
        asyncio.run(self.sender._handle_rtcp_packet(packet))

    def lose(self, *numbers: int) -> None:
        """The viewer misses packets."""
        self.hear(rtp.RtcpRtpfbPacket(rtp.RTCP_RTPFB_NACK, 1, self.sender.ssrc, lost=list(numbers)))


def frame(number: int, *, keyframe: bool = False) -> EncodedFrame:
    return EncodedFrame((b"a%d" % number, b"b%d" % number), 6000 * number, keyframe, 4)


def test_packets_are_numbered_and_the_last_of_a_frame_is_marked() -> None:
    wire = Wire()
    wire.sender.send(frame(1, keyframe=True))
    wire.sender.send(frame(2))
    first = wire.packets[0].sequence_number
    assert [packet.sequence_number - first for packet in wire.packets] == [0, 1, 2, 3]
    assert [packet.marker for packet in wire.packets] == [0, 1, 0, 1]
    assert [packet.timestamp for packet in wire.packets] == [6000, 6000, 12000, 12000]
    assert {packet.payload_type for packet in wire.packets} == {PAYLOAD_TYPE}
    assert {packet.ssrc for packet in wire.packets} == {wire.sender.ssrc}
    assert [packet.payload for packet in wire.packets] == [b"a1", b"b1", b"a2", b"b2"]


def test_a_viewer_begins_with_a_keyframe() -> None:
    wire = Wire()
    wire.sender.send(frame(1))
    assert not wire.packets
    wire.sender.send(frame(2, keyframe=True))
    assert len(wire.packets) == 2


def test_payloads_arrive_unchanged_behind_the_header_extension() -> None:
    wire = Wire(playout_delay=5)
    wire.sender.send(frame(1, keyframe=True))
    assert [packet.payload for packet in wire.packets] == [b"a1", b"b1"]


def test_lost_packets_are_sent_again() -> None:
    wire = Wire()
    for number in range(3):
        wire.sender.send(frame(number, keyframe=number == 0))
    sent = list(wire.packets)
    wire.lose(sent[1].sequence_number, sent[4].sequence_number)
    again = wire.packets[len(sent) :]
    assert [(one.sequence_number, one.payload, one.marker) for one in again] == [
        (one.sequence_number, one.payload, one.marker) for one in (sent[1], sent[4])
    ]
    assert not wire.asked


def test_a_loss_from_long_ago_needs_a_keyframe() -> None:
    wire = Wire()
    for number in range(HISTORY_FRAMES + 1):
        wire.sender.send(frame(number, keyframe=number == 0))
    count = len(wire.packets)
    wire.lose(wire.packets[0].sequence_number)
    assert len(wire.packets) == count
    assert wire.asked == 1


def large(number: int, count: int) -> EncodedFrame:
    return EncodedFrame((b"x",) * count, 6000 * number, keyframe=number == 0, size=count)


def test_a_packet_that_encryption_refuses_to_send_again_needs_a_keyframe() -> None:
    wire = Wire()
    for number in range(3):
        wire.sender.send(large(number, WINDOW // 2))
    numbers = [packet.sequence_number for packet in wire.packets]
    wire.lose(numbers[0], numbers[-1])
    assert [packet.sequence_number for packet in wire.packets[len(numbers) :]] == numbers[-1:]
    assert wire.asked == 1


def test_a_viewer_that_misses_all_again_and_again_gets_a_keyframe() -> None:
    wire = Wire()
    wire.sender.send(large(0, 100))
    numbers = [packet.sequence_number for packet in wire.packets]
    for _ in range(50):
        wire.lose(*numbers)
    assert len(wire.packets) == 100 + MOST_AGAIN
    assert wire.asked
    wire.sender.send(large(1, 3))
    count = len(wire.packets)
    wire.lose(*numbers)
    assert len(wire.packets) == count + 3


def test_a_viewer_can_ask_for_a_keyframe() -> None:
    wire = Wire()
    for fmt in (rtp.RTCP_PSFB_PLI, rtp.RTCP_PSFB_FIR):
        wire.hear(rtp.RtcpPsfbPacket(fmt, 1, wire.sender.ssrc))
    assert wire.asked == 2


def test_frames_that_the_network_does_not_take_end_with_a_keyframe() -> None:
    wire = Wire()
    wire.sender.send(frame(0, keyframe=True))
    wire.is_full = True
    wire.sender.send(frame(1))
    wire.is_full = False
    wire.sender.send(frame(2))
    assert wire.asked == 1
    assert len(wire.packets) == 2
    wire.sender.send(frame(3, keyframe=True))
    assert [packet.payload for packet in wire.packets[2:]] == [b"a3", b"b3"]


def test_reports_count_what_was_sent() -> None:
    wire = Wire()
    wire.sender.send(frame(1, keyframe=True))
    report, name = rtp.RtcpPacket.parse(wire.sender.report())
    assert isinstance(report, rtp.RtcpSrPacket)
    assert (report.sender_info.packet_count, report.sender_info.octet_count) == (2, 4)
    assert report.sender_info.rtp_timestamp == 6000
    assert isinstance(name, rtp.RtcpSdesPacket)
