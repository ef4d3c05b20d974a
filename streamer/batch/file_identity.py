"""What identifies the content of a file: its size and SHA-256. Any thread.

Reading a terabyte again takes longer than many resumed batches do, so a file whose size and times on disk are those of
the digest is not read. The system sets the second time at every change, and no program can set it back.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict


class FileIdentity(BaseModel):
    """The content of a file.

    Attributes:
        size_bytes: of the file.
        sha256: of the whole file.
        times_ns: of the last change of its content and of its properties (mtime and ctime).
    """

    model_config = ConfigDict(frozen=True)

    size_bytes: int
    sha256: str
    times_ns: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(size_bytes=status.st_size, sha256=digest, times_ns=(status.st_mtime_ns, status.st_ctime_ns))

    def is_of(self, path: Path) -> bool:
        """Whether a file has this content. A file that is missing or cannot be read has not."""
        try:
            status = path.stat()
            if status.st_size != self.size_bytes:
                return False
            has_times = self.times_ns == (status.st_mtime_ns, status.st_ctime_ns)
            return has_times or self.sha256 == FileIdentity.of(path).sha256
        except OSError:
            return False
