"""A file of which only some bytes are known: the copy of the input on a worker that does not have it.

Used by the thread that Ray calls the worker with. The copy has holes where nothing was received: they take no space,
and read as zeros. Whoever reads a hole sees other pictures, which the digests of the pictures tell the join.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from streamer.errors import SinkError


class ReceivedInput:
    """A sparse copy of a file. It disappears with its process, however that ends, where the system is Linux.

    Args:
        name: of the file; the copy has the same, because a demuxer may look at its end.
        size_bytes: of the file.

    Attributes:
        path: of the copy.
    """

    def __init__(self, name: str, size_bytes: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="streamer-")
        self.path = Path(self._folder.name) / name
        self._file = self._open()
        self._file.truncate(size_bytes)

    def _open(self) -> BinaryIO:
        if not sys.platform.startswith("linux"):
            return self.path.open("wb")
        # A file without a name: its space is free as soon as the process has ended, also by SIGKILL.
        file = tempfile.TemporaryFile(dir=self._folder.name)  # noqa: SIM115 - it is open as long as the worker lives
        self.path.symlink_to(f"/proc/{os.getpid()}/fd/{file.fileno()}")
        return file

    def write(self, offset: int, data: bytes) -> None:
        """Add bytes.

        Raises:
            SinkError: no space is left on the worker.
        """
        try:
            self._file.seek(offset)
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise SinkError(f"cannot keep a copy of the input in {self._folder.name}: {error.strerror}") from error
