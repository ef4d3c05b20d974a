"""The clients that play: each gets the same frames with its own timestamps, sequence numbers and source identifier.

Owned by the camera's event loop. RTP and RTCP are RFC 3550.
"""

from __future__ import annotations

import random
import struct
import time

from tests.faults.camera.transports import Garbage, Loss, Transport

_RTP = struct.Struct(">BBHII")
_SENDER_REPORT = struct.Struct(">BBHIIIIII")
_NTP_EPOCH_S = 2_208_988_800
"""From 1900, where NTP counts from, to 1970."""


class PlayingClient:
    """One client that plays.

    Args:
        transport: the connection to it.
        payload_type: of the RTP packets.
        first_timestamp: the RTP timestamp at the moment when it began to play.
        started_ticks: that moment on the camera's clock.
        number: the count of the clients; with the seed of a loss it decides which packets this client loses.
    """

    def __init__(
        self, transport: Transport, *, payload_type: int, first_timestamp: int, started_ticks: int, number: int
    ) -> None:
        self.transport = transport
        self.number = number
        self.first_timestamp = first_timestamp
        self.sequence = random.randrange(1 << 16)
        self._source = random.randrange(1 << 32)
        self._payload_type = payload_type
        self._offset = first_timestamp - started_ticks
        self._packets = 0
        self._octets = 0

    def send(self, payloads: list[bytes], ticks: int, *, is_key: bool) -> list[int]:
        """Send one frame; returns which of its packets were dropped on purpose."""
        timestamp = (ticks + self._offset) & 0xFFFFFFFF
        last = len(payloads) - 1
        packets = []
        for index, payload in enumerate(payloads):
            kind = self._payload_type | (index == last) << 7
            packets.append(_RTP.pack(0x80, kind, self.sequence, timestamp, self._source) + payload)
            self.sequence = self.sequence + 1 & 0xFFFF
        self._packets += len(payloads)
        self._octets += sum(map(len, payloads))
        return self.transport.send(packets, is_key=is_key)

    def send_report(self, ticks: int) -> None:
        """Report which RTP timestamp belongs to this moment of the wall clock."""
        now_s = time.time()
        report = _SENDER_REPORT.pack(
            0x80,
            200,
            6,
            self._source,
            int(now_s) + _NTP_EPOCH_S,
            int(now_s % 1 * (1 << 32)),
            (ticks + self._offset) & 0xFFFFFFFF,
            self._packets & 0xFFFFFFFF,
            self._octets & 0xFFFFFFFF,
        )
        name = b"camera@127.0.0.1"
        items = b"\x01" + bytes((len(name),)) + name + b"\x00"
        items += bytes(-len(items) % 4)
        description = struct.pack(">BBHI", 0x81, 202, 1 + len(items) // 4, self._source) + items
        self.transport.send_report(report + description)

    def send_goodbye(self) -> None:
        """Report the end of the stream."""
        self.transport.send_report(struct.pack(">BBHI", 0x81, 203, 1, self._source))

    def lose(self, fraction: float, seed: int) -> None:
        """Drop a fraction of its RTP packets from now on."""
        self.transport.lose(Loss(fraction, seed + self.number) if fraction > 0 else None)

    def insert_garbage(self, fraction: float, seed: int) -> None:
        """Send bytes that are not packets before a fraction of its RTP packets from now on."""
        self.transport.insert_garbage(Garbage(fraction, seed + self.number) if fraction > 0 else None)
