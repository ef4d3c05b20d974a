"""Recovery of the partial files of a killed process: they become ordinary files with their intended names.

An open file of a recording is hidden and locked (`lock`). The kernel releases the lock when the process dies, so the
process that gets the lock knows that no process writes the file. Its packets are copied to a second hidden file, which
replaces the first one and then gets the name, so that the content is never lost. The thread that enters the sink looks
for partial files; a thread of its own copies them, because that takes as long as reading and writing them.
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
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

# A new file is locked within milliseconds, and its content is written under the lock.
_FRESH_S = 60.0
_HEADER_BYTES = 1 << 16
"""A file that cannot be read is removed if it is smaller; a container's header alone is never larger."""
_LONGEST_END_S = 1.5  # a run ends within 3 s of a signal
_LONGEST_STOP_S = 0.5
_NICE = 10
_WORK_S = 0.05


def lock(path: Path, *, wait: bool = False) -> int:
    """Lock a hidden file as long as the returned descriptor is open.

    Args:
        path: of the file.
        wait: wait until no other process has the lock.

    Raises:
        OSError: another process has the lock (BlockingIOError), or the disk does not support locks.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def lock_own(path: Path) -> int | None:
    """Lock a hidden file that this process made; None on a disk without locks, where files are not recovered."""
    try:
        try:
            return lock(path)
        except BlockingIOError:  # another process checks the file, and will see that it is new
            return lock(path, wait=True)
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Partial:
    """A file of a killed process: its hidden path, the name that it will get, and its lock (a descriptor)."""

    path: Path
    final: Path
    lock: int


def remux_in_place(
    path: Path,
    name: Path,
    options: Mapping[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[float, int]:
    """Replace a locked hidden file by an ordinary file with the same packets.

    Args:
        path: of the hidden file.
        name: of the output, for errors.
        options: of the muxer.
        stopped: whether to stop.

    Returns:
        The duration of its video in seconds, and the lock of the new file (a descriptor).

    Raises:
        StreamerError: as `remux`; the file is unchanged.
        OSError: the disk failed; the file is unchanged.
    """
    status = path.stat()
    copied = path.with_name(path.name.removesuffix(path.suffix).removesuffix(".partial") + ".finishing" + path.suffix)
    copied.unlink(missing_ok=True)  # from a run that was killed here; the lock excludes others
    with ExitStack() as cleanup:
        os.close(os.open(copied, os.O_WRONLY | os.O_CREAT | os.O_EXCL, status.st_mode & 0o777))
        cleanup.callback(copied.unlink, missing_ok=True)
        held = lock(copied)
        cleanup.callback(os.close, held)
        lasted_s = float(remux(path, copied, name, options, stopped))
        os.utime(copied, ns=(status.st_atime_ns, status.st_mtime_ns))  # the time of its end
        sync(copied)
        copied.replace(path)
        cleanup.pop_all()
    return lasted_s, held


def rewrite(path: Path, name: Path, options: Mapping[str, str]) -> int:
    """Replace a complete hidden file as `remux_in_place` does. Returns the lock of the new file.

    Raises:
        SinkError: that failed; the file is unchanged.
    """
    try:
        return remux_in_place(path, name, options)[1]
    except (StreamerError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SinkError(f"cannot finish {name}: {why}") from error


class Recovery:
    """Recovers the partial files of one output.

    Args:
        name: of the output, for the log.
        find: returns the partial files.
        options: of the muxer, from the user.
        completed: called by the recovering thread after each file.
        recovered: called by it with the path and the duration of each recovered file, in seconds.
        reserve_bytes: free space that the copy must leave.
    """

    def __init__(
        self,
        name: object,
        find: Callable[[], Iterable[Path]],
        options: Mapping[str, str] | None = None,
        completed: Callable[[], None] = lambda: None,
        recovered: Callable[[Path, float], None] = lambda _path, _lasted_s: None,
        reserve_bytes: int = 0,
    ) -> None:
        self._name = name
        self._find = find
        self._options = dict(options or {})
        self._completed, self._recovered = completed, recovered
        self._reserve_bytes = reserve_bytes
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._worked_s = 0.0  # when the recovering thread paused last
        self._thread: Thread | None = None
        self._lock = threading.Lock()
        self._taken: frozenset[Path] = frozenset()  # under the lock

    @property
    def taken(self) -> frozenset[Path]:
        """Names that recovered files will get."""
        with self._lock:
            return self._taken

    def begin(self, taken: Collection[Path] = ()) -> None:
        """Look for partial files and begin to recover them, unless that is in progress.

        Args:
            taken: names for other files.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        found: list[Partial] = []
        with suppress(OSError):  # making the first file reports a folder that cannot be read
            for path in self._find():
                partial = claimed(path, [*taken, *(one.final for one in found)])
                if partial is not None:
                    found.append(partial)
        with self._lock:
            self._taken = frozenset(one.final for one in found)
        if found:
            self._thread = Thread("recovery", self._recover_all, found)
            self._thread.start()

    def close(self) -> None:
        """Wait a short time for the current file; the next start recovers the others. Does nothing the second time."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._hurry.set()
            thread.join(_LONGEST_END_S)
            self._stop.set()
            thread.join(_LONGEST_STOP_S)

    def _recover_all(self, found: list[Partial]) -> None:
        with suppress(OSError):  # the current recording has priority
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        for partial in found:
            try:
                self._recover(partial)
            except StoppedError:
                pass
            except (StreamerError, OSError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                log.warning(
                    "%s: cannot recover %s of a killed run: %s; the file is kept", self._name, partial.path, why
                )
            finally:
                os.close(partial.lock)
            with self._lock:
                self._taken -= {partial.final}
            with suppress(OSError):
                self._completed()

    def _pause(self) -> bool:
        """Leave the disk to the current recording for half of the time. Returns whether to stop."""
        if time.monotonic() - self._worked_s > _WORK_S:
            self._hurry.wait(_WORK_S)
            self._worked_s = time.monotonic()
        return self._stop.is_set()

    def _recover(self, partial: Partial) -> None:
        if self._stop.is_set():
            return
        path, final = partial.path, partial.final
        status = path.stat()
        if status.st_nlink > 1 and _has_its_name(path):
            path.unlink()  # the run was killed after the file got its name
            return
        require_room(path, status.st_size + self._reserve_bytes)
        try:
            lasted_s, held = remux_in_place(path, final, self._options, self._pause)
        except UnreadableError as error:
            self._keep_or_remove(path, status.st_size, error)
            return
        try:
            final = named(path, final)
        finally:
            os.close(held)
        log.warning("%s: recovered %s of a killed run: %.1f s", self._name, final, lasted_s)
        self._recovered(final, lasted_s)

    def _keep_or_remove(self, path: Path, size: int, error: UnreadableError) -> None:
        if size < _HEADER_BYTES:
            path.unlink()
            log.warning("%s: removed %s of a killed run: it has no frame", self._name, path)
        else:
            log.warning("%s: cannot read %s of a killed run: %s; the file is kept", self._name, path, error)


def claimed(path: Path, taken: Collection[Path]) -> Partial | None:
    """A hidden file of a killed process, locked; None if a process writes it. `taken` are names of other files."""
    stem = partial_stem(path)
    try:
        descriptor = lock(path)
    except OSError:  # removed, written by another process, or on a disk without locks
        return None
    status = os.fstat(descriptor)
    if stem is None or (not status.st_size and time.time() - status.st_mtime < _FRESH_S):
        os.close(descriptor)
        return None
    return Partial(path, free_name(path.with_name(stem + path.suffix), taken), descriptor)


def _has_its_name(path: Path) -> bool:
    own = path.stat()
    others = (one for one in os.scandir(path.parent) if one.name != path.name and one.inode() == own.st_ino)
    return any(partial_stem(Path(one.name)) is None for one in others)


def named(path: Path, final: Path) -> Path:
    """Give a recovered file its name, or the next free one."""
    while True:
        try:
            move_to_free_name(path, final)
        except FileExistsError:
            stem = partial_stem(path) or final.stem
            final = free_name(path.with_name(stem + path.suffix), [final])
        else:
            sync(path.parent)
            return final
