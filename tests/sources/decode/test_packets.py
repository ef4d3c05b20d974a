"""The packets of an input, whatever the demuxer does at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from streamer.sources.decode.packets import PacketReader
from tests.clips import write_video


class NewStream:
    """A container in which a stream appears while it is read.

    Whether PyAV 18.1 fails then depends on memory that it has not set (`InputContainer.demux`, "Flush!"), so the test
    raises what it raises.
    """

    def __init__(self, container: Any) -> None:
        self.container, self.flags = container, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.container, name)

    def demux(self) -> Iterator[Any]:
        """All packets, and the error."""
        yield from self.container.demux()
        raise IndexError("list index out of range")


def test_a_stream_that_appears_does_not_end_the_run_with_an_error(tmp_path: Path) -> None:
    with av.open(str(write_video(tmp_path / "clip.ts", frames=20))) as container:
        made: Any = NewStream(container)
        reader = PacketReader(made, container.streams.video[0], "clip.ts")
        assert sum(packet.size > 0 for packet in reader) == 20
    assert not reader.gave_up
