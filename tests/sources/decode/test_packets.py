"""Packets without a time are left out and reported; a stream that appears is no error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet

from streamer.sources.decode.packets import PacketReader, passthrough_of
from tests.clips import write_video
from tests.structure import FilePlan, StreamPlan, build


class WithoutTimes:
    """A real input without times of the first audio packets."""

    def __init__(self, container: Any, lost: int) -> None:
        self._container = container
        self._lost = lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self) -> Iterator[Packet[Any]]:
        for packet in self._container.demux():
            if packet.stream.type == "audio" and self._lost:
                self._lost -= 1
                packet.pts = packet.dts = None
            yield packet


@pytest.mark.parametrize("lost", [0, 3])
def test_audio_without_a_time_is_left_out_and_reported(tmp_path: Path, lost: int) -> None:
    clip = build(FilePlan(".mkv", (StreamPlan("h264"), StreamPlan("mp2"))), tmp_path / "clip.mkv")
    said: list[str] = []
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        passthrough = passthrough_of(container, video)
        subscription = passthrough.subscribe()
        stripped: Any = WithoutTimes(container, lost)
        reader = PacketReader(stripped, video, "clip", passthrough, report=said.append)
        pictures = sum(bool(packet.size) for packet in reader)
        sound = len(subscription.take(None))
    with av.open(str(clip)) as container:
        packets = [packet.stream.type for packet in container.demux() if packet.size]
    assert (pictures, sound) == (packets.count("video"), packets.count("audio") - lost)
    assert said == ([f"clip: {lost} packets of other streams have no time and are left out"] if lost else [])


class NewStream:
    """A container in which a stream appears while it is read.

    Whether PyAV 18.1 fails then depends on memory that it has not set (`InputContainer.demux`, "Flush!"), so the test
    raises what it raises.
    """

    def __init__(self, container: Any) -> None:
        self.container, self.flags = container, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.container, name)

    def demux(self) -> Iterator[Packet[Any]]:
        """All packets, and the error."""
        yield from self.container.demux()
        raise IndexError("list index out of range")


def test_a_stream_that_appears_does_not_end_the_run_with_an_error(tmp_path: Path) -> None:
    with av.open(str(write_video(tmp_path / "clip.ts", frames=20))) as container:
        made: Any = NewStream(container)
        reader = PacketReader(made, container.streams.video[0], "clip.ts")
        assert sum(packet.size > 0 for packet in reader) == 20
    assert not reader.gave_up
