"""What decoders complain about is damage only if pixels may be wrong; each rule is about words that FFmpeg has."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from streamer.sources.damage.decoder_messages import HARMLESS, means_damage


@pytest.mark.parametrize(
    ("decoder", "text"),
    [
        ("h264", "SEI type 5 size 865 truncated at 6528"),
        ("h264", "non-existing SPS 1 referenced in buffering period"),
        ("h264", "time_scale/num_units_in_tick invalid or unsupported (0/0)"),
        ("h264", "Truncated VUI (4)"),
        ("h264", "Increasing reorder buffer to 2"),
        ("h264", "mmco: unref short failure"),
        ("h264", "data partitioning"),
        ("h264", 'Failed to parse header of NALU (type 30): "Invalid data found". Skipping NALU.'),
        ("hevc", "Skipping invalid undecodable NALU: 39"),
        ("hevc", "VPS 0 does not exist"),
        ("hevc", "Invalid cropping offsets: 1/2/3/4"),
        ("mjpeg", "unable to decode APP fields: Invalid data found when processing input"),
        ("mjpeg", "EOI missing, emulating"),
        ("mpeg2video", "frame_rate_index 15 is invalid"),
        ("mpeg4", "time_increment_bits set to 5 bits, based on bitstream analysis"),
        ("vp8", "Unspecified colorspace"),
    ],
)
def test_side_data_timing_and_colour_are_no_damage(decoder: str, text: str) -> None:
    assert not means_damage(decoder, text)


@pytest.mark.parametrize(
    ("decoder", "text"),
    [
        ("h264", "error while decoding MB 12 4, bytestream -5"),
        ("h264", "Missing reference picture, default is 65536"),
        ("h264", "reference picture missing during reorder"),
        ("h264", "non-existing PPS 0 referenced"),
        ("h264", 'Failed to parse header of NALU (type 1): "Invalid data found". Skipping NALU.'),
        ("hevc", "Could not find ref with POC 12"),
        ("hevc", "Skipping invalid undecodable NALU: 1"),
        ("mjpeg", "overread 8"),
        ("mpeg4", "Error at MB: 120"),
        ("mpeg2video", "ac-tex damaged at 3 4"),
        ("vp9", "Not all references are available"),
        ("libdav1d", "Error parsing OBU data"),
        ("h264", "something that no FFmpeg said so far"),
    ],
)
def test_messages_about_pixels_and_unknown_messages_are_damage(decoder: str, text: str) -> None:
    assert means_damage(decoder, text)


def test_every_harmless_message_is_one_of_ffmpegs() -> None:
    """A message that a newer FFmpeg words differently would count as damage again."""
    folder = Path(av.__file__).parent.parent / "av.libs"
    libraries = [path.read_bytes() for path in folder.glob("libav*.so*")]
    if not libraries:
        pytest.skip("PyAV is linked to libraries of the system")
    words = [part for part in HARMLESS if not part.startswith(("app:", "com:"))]  # put together from two strings
    assert [part for part in words if not any(part.encode() in library for library in libraries)] == []
