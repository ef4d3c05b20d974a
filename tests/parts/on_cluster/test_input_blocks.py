"""A worker that gets only the bytes of its part has the same frames as one that has the file."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from streamer.errors import SinkError
from streamer.parts.on_cluster.input_blocks import BLOCK_BYTES, InputBlocks
from streamer.parts.on_cluster.received_input import ReceivedInput
from streamer.parts.part_source import PartSource
from streamer.parts.plan import Plan
from tests.disks import mounted_disk
from tests.parts.identity import facts, planned, settings, whole

FRAMES, GROUP, PARTS = 480, 8, 8
SIZE = 160, 120

CONTAINERS = {
    "mp4": {},
    "mov": {"movflags": "faststart"},
    "fragmented.mp4": {"movflags": "frag_keyframe+empty_moov"},
    "mkv": {},
    "ts": {},
    "avi": {},
    "h264": {},
}


def noisy(path: Path, **options: str) -> Path:
    """H.264 of noise, about 20 KB a frame, so that the file is much larger than what a demuxer probes."""
    random = np.random.default_rng(1)
    with av.open(str(path), "w", options=options) as target:
        reordered = "0" if path.suffix == ".avi" else "2"
        coding = {"crf": "8", "preset": "ultrafast", "g": str(GROUP), "bf": reordered, "sc_threshold": "0"}
        stream = target.add_stream("libx264", rate=25, options=coding)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for _ in range(FRAMES):
            rgb = random.integers(0, 256, (*SIZE[::-1], 3), np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        target.mux(stream.encode())
    return path


def received(plan: Plan, path: Path, number: int) -> tuple[Path, ReceivedInput, int]:
    """The copy that a worker has, the same as an object that keeps it, and its bytes."""
    blocks = InputBlocks(plan, path)
    copy = ReceivedInput(path.name, plan.input.size_bytes)
    wanted = blocks.of(number)
    for block in wanted:
        copy.write(*blocks.read(block))
    return copy.path, copy, len(wanted) * BLOCK_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_bytes_of_a_part_give_its_frames(tmp_path: Path, suffix: str) -> None:
    path = noisy(tmp_path / f"clip.{suffix}", **CONTAINERS[suffix])
    plan = planned(path, PARTS)
    found, sizes = [], []
    for part in plan.parts:
        place, copy, size = received(plan, path, part.number)
        with PartSource(plan, part, place) as source:
            found += [facts(frame) for frame in source]
        sizes.append(size)
        del copy
    assert found == whole(path, settings())
    assert plan.input.size_bytes > 6_000_000
    if suffix in ("mp4", "mov", "mkv"):
        assert max(sizes) < 0.8 * plan.input.size_bytes


def test_copy_disappears_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    copy = ReceivedInput("clip.mp4", 1 << 40)  # holes take no space
    copy.write(1 << 39, b"abc")
    with copy.path.open("rb") as file:
        file.seek((1 << 39) - 1)
        assert file.read(5) == b"\0abc\0"
    assert copy.path.is_symlink()
    del copy
    assert not list(tmp_path.iterdir())


@pytest.mark.system
def test_worker_with_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mounted_disk(tmp_path, "1m") as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        copy = ReceivedInput("clip.mp4", 1 << 30)
        copy.write(0, b"x" * 100_000)
        with pytest.raises(SinkError, match="cannot keep a copy of the input"):
            copy.write(1 << 20, b"x" * 1_000_000)
        del copy
