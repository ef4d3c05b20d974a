"""Finishes what a killed process left of its recordings: into ordinary files, under the names that they would have had.

A file that is being recorded is hidden and locked (`lock`). The kernel frees the lock of a process that died, however
it died, so who gets the lock knows that nobody writes the file. It is copied packet by packet into a second hidden
file, which then takes its place and after that its name: at no moment is there less than before. Looked for by the
thread that enters the sink; finished by a thread of its own, because that takes as long as reading and writing it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import SinkError, StreamerError
from streamer.sinks.muxing.remux import StoppedError, UnreadableError, remux
from streamer.sinks.video.retention import require_room
from streamer.sinks.video.segment_names import free_name, partial_stem
from streamer.system.partial_file import move_to_free_name, sync

log = logging.getLogger(__name__)

# From the making of a file to its lock pass milliseconds; what is in a file was written under the lock.
_FRESH_S = 60.0
_NOTHING_BYTES = 1 << 16
"""What cannot be read and is larger than the headers of all containers may be worth something to somebody else."""
_LONGEST_END_S = 1.5  # a run that is asked to end does so within 3 s
_LONGEST_STOP_S = 0.5
_NICE = 10
_WORK_S = 0.05


def lock(path: Path, *, wait: bool = False) -> int:
    """Lock a hidden file for as long as the descriptor that is returned is open.

    Args:
        path: of the file.
        wait: until nobody else has it.

    Raises:
        OSError: somebody else has it (BlockingIOError), or the disk knows no locks.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def lock_own(path: Path) -> int | None:
    """Lock a hidden file that this process made; None on a disk without locks, whose leftovers nobody touches."""
    try:
        try:
            return lock(path)
        except BlockingIOError:  # somebody looks whether it is a leftover, and will see that it is not
            return lock(path, wait=True)
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class _Leftover:
    """A file that nobody writes, with its lock."""

    path: Path
    final: Path
    lock: int


def remux_in_place(
    path: Path,
    name: Path,
    options: Mapping[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[float, int]:
    """Replace a hidden file, of which the lock is held, by a copy of its packets that is an ordinary file.

    Args:
        path: of the hidden file.
        name: what to call it in errors.
        options: of the muxer.
        stopped: whether to give up.

    Returns:
        How long its video lasts, seconds, and the lock of the file that is there now (a descriptor).

    Raises:
        StreamerError: as `remux`; the file is as before.
        OSError: the disk refuses; the file is as before.
    """
    status = path.stat()
    copied = path.with_name(path.name.removesuffix(path.suffix).removesuffix(".partial") + ".finishing" + path.suffix)
    copied.unlink(missing_ok=True)  # of a run that was killed here; nobody else has it: the lock
    with ExitStack() as cleanup:
        os.close(os.open(copied, os.O_WRONLY | os.O_CREAT | os.O_EXCL, status.st_mode & 0o777))
        cleanup.callback(copied.unlink, missing_ok=True)
        held = lock(copied)
        cleanup.callback(os.close, held)
        lasted_s = float(remux(path, copied, name, options, stopped))
        os.utime(copied, ns=(status.st_atime_ns, status.st_mtime_ns))  # when it ended
        sync(copied)
        copied.replace(path)
        cleanup.pop_all()
    return lasted_s, held


def rewrite(path: Path, name: Path, options: Mapping[str, str]) -> int:
    """Replace a complete hidden file as `remux_in_place` does: the lock of the new one.

    Raises:
        SinkError: that failed; the file is as before.
    """
    try:
        return remux_in_place(path, name, options)[1]
    except (StreamerError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SinkError(f"cannot finish {name}: {why}") from error


class Recovery:
    """Finishes the unfinished files of one output.

    Args:
        name: of the output, for the log.
        find: the unfinished files that there are.
        options: of the muxer, as the user has them.
        afterwards: called by the finishing thread after each file.
        reserve_bytes: what is to be left free on the disk beside the copy.
    """

    def __init__(
        self,
        name: object,
        find: Callable[[], Iterable[Path]],
        options: Mapping[str, str] | None = None,
        afterwards: Callable[[], None] = lambda: None,
        reserve_bytes: int = 0,
    ) -> None:
        self._name = name
        self._find = find
        self._options = dict(options or {})
        self._afterwards = afterwards
        self._reserve_bytes = reserve_bytes
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._worked_s = 0.0  # of the finishing thread: since when without a pause
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._taken: frozenset[Path] = frozenset()  # under the lock

    @property
    def taken(self) -> frozenset[Path]:
        """Names that are about to be given."""
        with self._lock:
            return self._taken

    def begin(self, taken: Collection[Path] = ()) -> None:
        """Look for unfinished files and begin to finish them, unless that is going on.

        Args:
            taken: names that are spoken for.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        found: list[_Leftover] = []
        with suppress(OSError):  # a folder that cannot be read is told when the first file is made
            for path in self._find():
                leftover = _locked(path, [*taken, *(one.final for one in found)])
                if leftover is not None:
                    found.append(leftover)
        with self._lock:
            self._taken = frozenset(one.final for one in found)
        if found:
            self._thread = threading.Thread(
                target=self._finish_all, args=(found,), name="streamer-leftovers", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Wait for what is being finished, but not long: the next start begins it anew. Fine a second time."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._hurry.set()
            thread.join(_LONGEST_END_S)
            self._stop.set()
            thread.join(_LONGEST_STOP_S)

    def _finish_all(self, found: list[_Leftover]) -> None:
        with suppress(OSError):  # what is recorded now comes first
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        for leftover in found:
            try:
                self._finish(leftover)
            except StoppedError:
                pass
            except (StreamerError, OSError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                log.warning(
                    "%s: what a killed run left cannot be finished: %s; kept as %s", self._name, why, leftover.path
                )
            finally:
                os.close(leftover.lock)
            with self._lock:
                self._taken -= {leftover.final}
            with suppress(OSError):
                self._afterwards()

    def _pause(self) -> bool:
        """Leave the disk to what is recorded now for half of the time: whether to give up."""
        if time.monotonic() - self._worked_s > _WORK_S:
            self._hurry.wait(_WORK_S)
            self._worked_s = time.monotonic()
        return self._stop.is_set()

    def _finish(self, leftover: _Leftover) -> None:
        if self._stop.is_set():
            return
        path, final = leftover.path, leftover.final
        status = path.stat()
        if status.st_nlink > 1 and _has_its_name(path):
            path.unlink()  # killed between giving the name and taking away the hidden one
            return
        require_room(path, status.st_size + self._reserve_bytes)
        try:
            lasted_s, held = remux_in_place(path, final, self._options, self._pause)
        except UnreadableError as error:
            self._leave_or_remove(path, status.st_size, error)
            return
        try:
            final = _named(path, final)
        finally:
            os.close(held)
        log.warning("%s: finished %s, which a killed run had left: %.1f s", self._name, final, lasted_s)

    def _leave_or_remove(self, path: Path, size: int, error: UnreadableError) -> None:
        if size < _NOTHING_BYTES:
            path.unlink()
            log.warning("%s: removed %s, which a killed run had left: nothing was in it yet", self._name, path)
        else:
            log.warning("%s: %s, which a killed run had left, cannot be read: %s; kept", self._name, path, error)


def _locked(path: Path, taken: Collection[Path]) -> _Leftover | None:
    stem = partial_stem(path)
    try:
        descriptor = lock(path)
    except OSError:  # gone, written by somebody, or on a disk without locks
        return None
    status = os.fstat(descriptor)
    if stem is None or (not status.st_size and time.time() - status.st_mtime < _FRESH_S):
        os.close(descriptor)
        return None
    return _Leftover(path, free_name(path.with_name(stem + path.suffix), taken), descriptor)


def _has_its_name(path: Path) -> bool:
    own = path.stat()
    others = (one for one in os.scandir(path.parent) if one.name != path.name and one.inode() == own.st_ino)
    return any(partial_stem(Path(one.name)) is None for one in others)


def _named(path: Path, final: Path) -> Path:
    """Give a finished file its name, or the next that is free."""
    while True:
        try:
            move_to_free_name(path, final)
        except FileExistsError:
            stem = partial_stem(path) or final.stem
            final = free_name(path.with_name(stem + path.suffix), [final])
        else:
            sync(path.parent)
            return final
