"""Which packets have coded picture data, and which only parameter sets and messages."""

from __future__ import annotations

import pytest

from streamer.sources.damage.nal_units import holds_picture

START = b"\0\0\0\1"


@pytest.mark.parametrize(
    ("codec", "units", "holds"),
    [
        ("h264", [b"\x06\x05\x01x\x80"], False),  # supplemental information alone
        ("h264", [b"\x67abc", b"\x68abc"], False),  # parameter sets alone
        ("h264", [b"\x09\xf0", b"\x1ecamera"], False),  # a delimiter and a unit of the camera's own
        ("h264", [b"\x06\x05\x01x\x80", b"\x65abc"], True),
        ("h264", [b"\x41abc"], True),
        ("hevc", [b"\x4e\x01abc"], False),  # 39, supplemental information
        ("hevc", [b"\x40\x01a", b"\x42\x01a", b"\x44\x01a"], False),
        ("hevc", [b"\x4e\x01abc", b"\x02\x01abc"], True),
        ("mjpeg", [b"\x06"], True),
    ],
)
def test_a_packet_without_a_slice_holds_no_picture(codec: str, units: list[bytes], holds: bool) -> None:
    assert holds_picture(codec, b"".join(START + unit for unit in units)) is holds
    assert holds_picture(codec, b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)) is holds


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\x09abc", b"\0\0\0\1"])
def test_unparsable_packets_may_hold_a_picture(data: bytes) -> None:
    assert holds_picture("h264", data)
