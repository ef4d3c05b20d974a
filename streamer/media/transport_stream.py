"""Packets of MPEG transport streams (ISO/IEC 13818-1, 2.4.3). Pure."""

from __future__ import annotations

import numpy as np

PACKET_BYTES = 188
SYNC = 0x47
"""Every packet begins with it."""


def continued(segment: bytes, counters: dict[int, int]) -> bytes:
    """A segment whose packets are counted on from those of the one before: else receivers take it for loss.

    What is missing within the segment stays missing.

    Args:
        segment: whole packets; anything else is given back as it is.
        counters: of each PID, the counter that is expected next; brought up to date.
    """
    if not segment or len(segment) % PACKET_BYTES:
        return segment
    packets = np.frombuffer(segment, np.uint8).reshape(-1, PACKET_BYTES)
    if (packets[:, 0] != SYNC).any():
        return segment
    packets = packets.copy()
    pids = (packets[:, 1].astype(np.int32) & 0x1F) << 8 | packets[:, 2]
    counted = packets[:, 3] & 0x10 > 0  # only packets with a payload are
    for pid in np.unique(pids[counted]).tolist():
        mine = pids == pid
        first = int(packets[mine & counted][0, 3]) & 0x0F
        moved = (counters.get(pid, first) - first) % 16
        packets[mine, 3] = packets[mine, 3] & 0xF0 | (packets[mine, 3] + moved) & 0x0F
        counters[pid] = (int(packets[mine & counted][-1, 3]) + 1) & 0x0F
    return packets.tobytes()
