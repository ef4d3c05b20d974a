"""Which bytes of the input a worker reads to decode a part, so that they can be sent to it. Used by the pool's thread.

A container has its index, its headers and its packets in places that only a demuxer knows. So the part is demuxed here
once, and the blocks that are read meanwhile are those that the worker needs; nothing is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
from av.container import InputContainer

from streamer.errors import SourceLost
from streamer.parts.plan import Part, Plan
from streamer.parts.splitting.split import MOST_REORDERED
from streamer.sources.decode.opening import choose_video

BLOCK_BYTES = 256 << 10
_EDGE_BLOCKS = (1 << 20) // BLOCK_BYTES
"""A worker compares the first and the last MiB of the file with the plan."""
_MORE_PACKETS = 3 * MOST_REORDERED
"""Read after the part, by which its last frames have come out of any decoder: reordered frames, and those that
decoder threads hold."""


class InputBlocks:
    """The blocks of a file that the parts of its plan need.

    Args:
        plan: of the file.
        path: of the file.
    """

    def __init__(self, plan: Plan, path: Path) -> None:
        self._plan, self._path = plan, path
        count = -(-plan.input.size_bytes // BLOCK_BYTES)
        self._edges = {*range(min(_EDGE_BLOCKS, count)), *range(max(count - _EDGE_BLOCKS - 1, 0), count)}

    def of(self, number: int) -> list[int]:
        """Numbers of the blocks that a part needs, rising.

        Args:
            number: of the part.

        Raises:
            SourceLost: the file cannot be read any more.
        """
        return self._traced(self._plan.parts[number])

    def opening(self) -> list[int]:
        """Numbers of the blocks that a worker needs to open the file, rising. Raises as `of`."""
        return self._traced(None)

    def _traced(self, part: Part | None) -> list[int]:
        try:
            with self._path.open("rb", buffering=0) as file:
                traced = _TracedFile(file)
                # As `PartSource` opens it; metadata and stream parameters need the same bytes.
                with closing(av.open(traced, "r", metadata_errors="replace")) as container:
                    if part is not None:
                        _read(container, part, self._path.name)
                return sorted(self._edges | traced.blocks)
        except (OSError, av.error.FFmpegError) as error:
            raise SourceLost(f"{self._path}: cannot be read any more: {error.strerror or error}") from error

    def read(self, block: int) -> tuple[int, bytes]:
        """The offset of a block and its bytes.

        Raises:
            SourceLost: the file cannot be read any more.
        """
        offset = block * BLOCK_BYTES
        try:
            with self._path.open("rb") as file:
                file.seek(offset)
                return offset, file.read(BLOCK_BYTES)
        except OSError as error:
            raise SourceLost(f"{self._path}: cannot be read any more: {error.strerror}") from error


class _TracedFile:
    """A file that remembers which blocks were read. PyAV calls it.

    Args:
        file: open, without a buffer.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.blocks: set[int] = set()

    def read(self, size: int) -> bytes:
        begin = self._file.tell()
        data = self._file.read(size)
        self.blocks.update(range(begin // BLOCK_BYTES, (begin + len(data) - 1) // BLOCK_BYTES + 1))
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _read(container: InputContainer, part: Part, name: str) -> None:
    """Demux all packets that a decoder gets for a part."""
    video = choose_video(container, name)
    if part.seek is not None:
        container.seek(part.seek.target, stream=video)
    ends = _beyond(container, part)
    for _ in range(_MORE_PACKETS):
        if next(ends, None) is None:
            return


def _beyond(container: InputContainer, part: Part) -> Iterator[int]:
    """The times of the packets after the part, one after the other."""
    for packet in container.demux(container.streams.video):
        if packet.size and packet.pts is not None and part.end_pts is not None and packet.pts >= part.end_pts:
            yield packet.pts
