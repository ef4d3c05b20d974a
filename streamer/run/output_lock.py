"""Keeps two runs from writing the same files, where the second would notice only at its end. Main thread.

An output has its final name when it is complete (`streamer.system.partial_file`), so two runs that take hours would
both do all the work. The lock is a hidden file beside the output, also for processes on other machines. The system
releases it when the process ends in any way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from streamer.errors import SinkUnavailable
from streamer.system import paths

_SUFFIX = ".lock"


@contextmanager
def locked_outputs(files: Iterable[Path]) -> Iterator[None]:
    """Lock files that this run writes, until the block ends.

    A file is not locked if its folder is missing or read-only, or on a disk without locks.

    Raises:
        SinkUnavailable: another run writes one of them at this moment.
    """
    with ExitStack() as stack:
        for file in files:
            if not paths.exists(file) or paths.is_file(file):  # not /dev/null
                _lock(file, stack)
        yield


def _lock(file: Path, stack: ExitStack) -> None:
    name = paths.shortened(f".{file.name}", _SUFFIX, paths.most_bytes_in(file.parent))
    lock = FileLock(file.with_name(name), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise SinkUnavailable(f"another run writes {file} at this moment; choose another output") from error
    except (OSError, NotImplementedError):
        return
    stack.callback(lock.release)
    stack.callback(_remove, Path(lock.lock_file))  # first: another process can take the lock once it is released


def _remove(lock: Path) -> None:
    with suppress(OSError):
        lock.unlink()
