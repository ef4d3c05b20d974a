"""The journal of a batch: which files are done, in `.streamer-batch.jsonl` of the output folder. Any thread.

One JSON line when a file begins and one when it ends, each synced to the disk before the program goes on. The last line
of a file counts. A line that a killed program has cut is ignored.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.batch.file_identity import FileIdentity
from streamer.errors import ConfigError, SinkError, SinkUnavailable
from streamer.run.outcome import RunFigures
from streamer.system.partial_file import make_folder, sync

JOURNAL = ".streamer-batch.jsonl"
LOCK = ".streamer-batch.lock"


class FileState(StrEnum):
    """How far a file is."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


class Entry(BaseModel):
    """One line of the journal. A later version may add keys.

    Attributes:
        file: its path below the common folder of the inputs.
        state: how far it is.
        at: when, in UTC, as ISO 8601.
        settings: identifies the settings, from `settings_digest`.
        source: its absolute path; empty in lines of earlier versions.
        input: what was read; None if it could not be.
        outputs: paths below the output folder; what was written if it is done.
        figures: of a file that is done.
        error: of a file that failed.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    state: FileState
    at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    settings: str = ""
    source: str = ""
    input: FileIdentity | None = None
    outputs: Mapping[str, FileIdentity | None] = {}
    figures: RunFigures | None = None
    error: str = ""


class Journal:
    """A context manager; entering makes the folder, locks it and reads the journal.

    Args:
        folder: of the outputs.

    Raises:
        ConfigError: on entering: another batch writes into the folder.
        SinkUnavailable: on entering: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / JOURNAL
        self._held = FileLock(folder / LOCK, timeout=0)
        self._lock = threading.Lock()  # guards all below
        self._file: FileIO | None = None
        self._is_cut = False
        self._entries: dict[str, Entry] = {}
        self._written: set[str] = set()

    def __enter__(self) -> Self:
        make_folder(self._folder)
        try:
            self._held.acquire()
            self._read()
        except Timeout as error:
            raise ConfigError(
                f"another batch writes into {self._folder}; wait until it ends, or choose another folder"
            ) from error
        except OSError as error:
            self._held.release()
            raise SinkUnavailable(
                f"cannot write into {self._folder}: {error.strerror}; choose another folder"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
        self._held.release()

    def entry(self, file: str) -> Entry | None:
        """The last line of a file; None if it has none."""
        with self._lock:
            return self._entries.get(file)

    def names_of_done(self) -> dict[str, str]:
        """Absolute path of each file that is done to its name."""
        with self._lock:
            done = [entry for entry in self._entries.values() if entry.state is FileState.DONE]
            return {entry.source: entry.file for entry in done if entry.source}

    def has_written(self, output: str) -> bool:
        """Whether a path below the output folder is an output of this batch, perhaps of another call."""
        with self._lock:
            return output in self._written

    def add(self, entry: Entry) -> None:
        """Write a line and sync it to the disk.

        Raises:
            SinkError: it cannot be written.
        """
        # JSON of Python: names of files may have bytes that are not UTF-8 (PEP 383), which that of pydantic loses.
        # The time is written, too: pydantic counts it as a default if it is that of this millisecond.
        line = json.dumps({**entry.model_dump(exclude_defaults=True), "at": entry.at}).encode() + b"\n"
        with self._lock:
            try:
                self._write(line)
            except OSError as error:
                raise SinkError(
                    f"cannot write {self._path}: {error.strerror}; free some space and run the command again"
                ) from error
            self._keep(entry)

    def _read(self) -> None:
        with self._lock, suppress(FileNotFoundError):
            text = self._path.read_bytes()
            self._is_cut = not text.endswith(b"\n")
            for entry in _entries(text.splitlines()):
                self._keep(entry)

    def _write(self, line: bytes) -> None:
        """Append a line; called with the lock. The file is made by the first one."""
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
            sync(self._folder)
        # A cut line must not become the begin of this one.
        rest = memoryview(b"\n" + line if self._is_cut else line)
        self._is_cut = True
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self._is_cut = False

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.file] = entry
        self._written.update(entry.outputs)


def _entries(lines: Iterable[bytes]) -> Iterable[Entry]:
    for line in lines:
        try:
            yield Entry.model_validate(json.loads(line))
        except (ValueError, ValidationError):
            continue
