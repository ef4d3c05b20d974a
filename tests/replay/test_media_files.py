"""Recorded frames keep every sample of every format, from packets where these decode to it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamer.replay.pixel_data import crc_of, with_format
from streamer.replay.recording import Recording
from streamer.replay.replay_parts import ReplayedSource
from tests.clips import write_video
from tests.replay.runs import opener, record, replay

CODECS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"codec": "libx264", "options": {"bf": "3", "preset": "veryfast"}},
    "h264.ts": {"codec": "libx264", "options": {"bf": "2", "preset": "veryfast"}},
    "hevc.mkv": {"codec": "libx265"},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "vp8.webm": {"codec": "libvpx", "options": {"cpu-used": "8"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
}
WITHOUT_PACKETS: dict[str, dict[str, Any]] = {
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "turned.mp4": {"rotation": 90},
    "raw.avi": {"codec": "rawvideo"},
}


@pytest.mark.parametrize("name", CODECS)
def test_packets_decode_to_every_frame(tmp_path: Path, name: str) -> None:
    clip = write_video(tmp_path / name, frames=20, **CODECS[name])
    run = record(tmp_path / "kept", opener(clip), latency=0.1)
    assert replay(tmp_path / "kept") == run
    assert run.counts[0] == 20
    assert {path.name for path in (tmp_path / "kept").glob("*.nut")} == {"packets-000.nut"}


@pytest.mark.parametrize("name", WITHOUT_PACKETS)
def test_frames_are_stored_if_packets_do_not_decode_to_them(tmp_path: Path, name: str) -> None:
    clip = write_video(tmp_path / name, frames=20, **WITHOUT_PACKETS[name])
    run = record(tmp_path / "kept", opener(clip), latency=0.1)
    assert replay(tmp_path / "kept") == run
    assert run.counts[0] == 20
    assert (tmp_path / "kept" / "pictures-000.nut").exists()


@pytest.mark.parametrize(
    "pixel_format",
    ["yuv420p", "yuvj422p", "nv12", "yuyv422", "uyvy422", "bgr24", "rgb24", "gray", "yuv444p", "yuv420p10le", "bgra"],
)
def test_frames_of_webcams_and_screens(tmp_path: Path, pixel_format: str) -> None:
    """An odd width, so that rows are padded, and sizes that change."""
    graph = f"lavfi:testsrc2=size=322x180:rate=25:duration=0.2,format={pixel_format}"
    seen: list[tuple[int, str, int]] = []

    def see(scene: Any) -> None:
        picture = scene.frame.picture
        seen.append((crc_of(picture), picture.format.name, int(picture.color_range)))

    record(tmp_path / "kept", opener(graph), latency=0.1, on_scene=see)
    with ReplayedSource(Recording(tmp_path / "kept")) as source:
        found = [(crc_of(one.picture), one.picture.format.name, int(one.picture.color_range)) for one in source]
    assert found == seen
    assert len(set(found)) == 5


def test_the_checksum_is_of_the_visible_samples() -> None:
    """It ignores row padding, and changes with the last sample of the last plane."""
    samples = np.arange(33 * 27, dtype=np.uint32).astype(np.uint8).reshape(27, 33)
    one, other = av.VideoFrame(22, 18, "yuv420p"), av.VideoFrame(22, 18, "yuv420p")
    for picture, padding in ((one, 0), (other, 255)):
        for plane in picture.planes:
            rows = np.full((plane.height, plane.line_size), padding, np.uint8)
            rows[:, : plane.width] = samples[: plane.height, : plane.width]
            plane.update(rows.tobytes().ljust(plane.buffer_size, b"\0"))
    assert crc_of(one) == crc_of(other)
    last = other.planes[2]
    content = bytearray(bytes(last))
    content[(last.height - 1) * last.line_size + last.width - 1] ^= 1
    last.update(bytes(content))
    assert crc_of(one) != crc_of(other)


def test_converting_the_format_keeps_the_samples() -> None:
    picture = av.VideoFrame.from_ndarray(np.arange(36 * 20, dtype=np.uint32).astype(np.uint8).reshape(36, 20), "gray")
    picture = picture.reformat(format="yuvj420p")
    picture.pts, picture.time_base = 5, Fraction(1, 25)
    other = with_format(picture, "yuv420p")
    assert other.format.name == "yuv420p"
    assert crc_of(other) == crc_of(picture)
    assert crc_of(with_format(other, "yuvj420p")) == crc_of(picture)


def test_frames_that_an_edit_list_hides(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "hidden.mp4", frames=20, start_pts=-2560, options={"bf": "2", "preset": "veryfast"})
    run = record(tmp_path / "kept", opener(clip), latency=0.1)
    assert replay(tmp_path / "kept") == run
    assert run.lines.count(b"\n") == 15
    assert b'"discarded"' in (tmp_path / "kept" / "events.jsonl").read_bytes()
    assert not list((tmp_path / "kept").glob("pictures-*"))
