"""Parts in a folder: those that are there, and those that still come. One thread waits; any thread may close.

A folder on the network raises no event when another machine writes a file, so a wait looks again from time to time:
after 0.1 s first, after at most 2 s. `close` ends it at once. A part is found by what is in its file, whatever the name
of the file is; hidden files are the incomplete ones of workers.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from streamer.errors import ConfigError, Interrupted, SourceUnavailable
from streamer.parts.matching import SameWorkers
from streamer.parts.part_file import SUFFIX, part_name, read_header, read_part
from streamer.parts.plan import Plan
from streamer.parts.values import PartDetections

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0
_COPIED_S = 10.0
"""A file that cannot be read and was changed in the last seconds may still be being copied."""


class FolderSupply:
    """The parts of a plan in a folder, as a `PartSupply`.

    Args:
        folder: where workers put them; it may be made later.
        plan: of the parts.
        workers: compares the workers of all parts that are there.
        wait_s: how long to wait while no part comes, seconds; then the missing ones do not come any more. None: no
            limit.
        waiting: called once, with the numbers of the missing parts, when the first wait begins.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        workers: SameWorkers,
        *,
        wait_s: float | None = None,
        waiting: Callable[[Sequence[int]], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._numbers = range(len(plan.parts))
        self._names = {folder / part_name(number) for number in self._numbers}
        self._digest = plan.digest
        self._workers = workers
        self._wait_s = wait_s
        self._waiting = waiting
        self._has_told = False
        self._seen: dict[Path, tuple[int, int]] = {}  # size and time of the last change
        self._files: dict[int, Path] = {}
        self._arrived_s = time.monotonic()
        self._closed = threading.Event()

    def look(self) -> None:
        """Find the parts that have come since the last look.

        Raises:
            SourceUnavailable: the folder cannot be read.
            ConfigError: a part is truncated; a file is called like a part of this plan, but is none, another one, or
                belongs to another plan; a worker has another model, or computes other numbers.
        """
        for path, state in self._changed():
            try:
                header = read_header(path)
                if header is None and path in self._names:
                    raise ConfigError(f"{path} is no part; delete it, and 'streamer detect' makes the part")
            except (ConfigError, SourceUnavailable):
                if not self._may_be_copied(path):
                    raise
                continue
            self._seen[path] = state
            if header is None:
                continue
            if header.plan_digest == self._digest:
                if path in self._names and path.name != part_name(header.number):
                    # `detect` does not replace it, so the part of this name would never come.
                    raise ConfigError(f"{path} is part {header.number}; rename it to {part_name(header.number)}")
                self._workers.add(f"the worker of part {header.number}", header.worker)
                self._files.setdefault(header.number, path)
                self._arrived_s = time.monotonic()
            elif path in self._names:
                raise ConfigError(
                    f"{path} belongs to another plan; detect it again with this one, or give another folder"
                )

    def wait(self, number: int) -> PartDetections | None:
        """See `PartSupply`.

        Raises:
            SourceUnavailable: the folder or the part cannot be read.
            ConfigError: as `look`.
            Interrupted: `close` was called.
        """
        pause_s = _FIRST_WAIT_S
        while not self._closed.is_set():
            before = len(self._files)
            if number not in self._files:  # a look asks the file system about every file of the folder
                self.look()
            if number in self._files:
                return read_part(self._files[number])
            if self._wait_s is not None and time.monotonic() - self._arrived_s >= self._wait_s:
                return None
            if not self._has_told:
                self._has_told = True
                self._waiting([one for one in self._numbers if one not in self._files])
            pause_s = _FIRST_WAIT_S if len(self._files) > before else min(2 * pause_s, _LONGEST_WAIT_S)
            self._closed.wait(pause_s)
        raise Interrupted

    def close(self) -> None:
        """See `PartSupply`."""
        self._closed.set()

    def _changed(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        """The files that may be parts and are not known yet, with their size and the time of their last change."""
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or not entry.name.endswith(SUFFIX):
                        continue
                    with suppress(FileNotFoundError):  # it was removed just now
                        facts = entry.stat()
                        state = facts.st_size, facts.st_mtime_ns
                        if self._seen.get(path := self._folder / entry.name) != state:
                            yield path, state
        except FileNotFoundError:
            return  # the first worker makes the folder
        except NotADirectoryError as error:
            raise ConfigError(f"{self._folder} is no folder; give the one with the parts") from error
        except OSError as error:
            raise SourceUnavailable(f"cannot read parts in {self._folder}: {error.strerror}") from error

    def _may_be_copied(self, path: Path) -> bool:
        """Whether a file that cannot be read was changed so recently that it may be incomplete."""
        try:
            age_s = time.time() - path.stat().st_mtime
        except OSError:
            return True  # it was removed just now
        return abs(age_s) < _COPIED_S  # the clock of another machine may be ahead
