"""Packets of MPEG transport streams (ISO/IEC 13818-1, 2.4.3)."""

from __future__ import annotations

import numpy as np

PACKET_BYTES = 188
SYNC = 0x47
"""The first byte of every packet."""


class ContinuityCounters:
    """Renumbers the packets of separate segments so that their continuity counters continue across segments.

    Receivers treat a jump of a counter as packet loss. Packets that are missing within a segment remain visible. Used
    by one thread.
    """

    def __init__(self) -> None:
        self._expected: dict[int, int] = {}  # PID to the next counter

    def clear(self) -> None:
        """Start again: the next segment keeps its counters."""
        self._expected.clear()

    def renumbered(self, segment: bytes) -> bytes:
        """The next segment with continued counters; data that are not whole packets are returned unchanged."""
        if not segment or len(segment) % PACKET_BYTES:
            return segment
        packets = np.frombuffer(segment, np.uint8).reshape(-1, PACKET_BYTES)
        if (packets[:, 0] != SYNC).any():
            return segment
        packets = packets.copy()
        pids = (packets[:, 1].astype(np.int32) & 0x1F) << 8 | packets[:, 2]
        counted = packets[:, 3] & 0x10 > 0  # only packets with a payload are counted
        for pid in np.unique(pids[counted]).tolist():
            mine = pids == pid
            first, last = (int(packets[mine & counted][at, 3]) & 0x0F for at in (0, -1))
            offset = (self._expected.get(pid, first) - first) % 16
            packets[mine, 3] = packets[mine, 3] & 0xF0 | (packets[mine, 3] + offset) & 0x0F
            self._expected[pid] = (last + offset + 1) & 0x0F
        return packets.tobytes()
