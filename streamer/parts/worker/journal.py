"""The journal of an unfinished part: a hidden file beside the output, to which each detected frame is appended.

After a crash or Ctrl-C the next worker goes on with the frames in it. They are checked: the journal must be of the same
part, model and arithmetic, each record has a checksum, and the detector compares the digest of each picture
(`streamer.parts.detecting`). The process that writes a journal has locked it; the kernel releases the lock when the
process ends in any way. On a disk without locks two workers may write the same journal, which costs them records, but
no part is wrong: a part is written from memory. One thread uses it.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np

from streamer.errors import SinkError, SinkUnavailable
from streamer.parts.part_file import labels_to_dict
from streamer.parts.values import FrameDetections, PartDetections
from streamer.system import paths
from tracking.types import Detections

_MAGIC = b"streamer journal 1\n"
_RECORD = struct.Struct("<II")
"""Length of the content in bytes, and its CRC-32."""
_FRAME = struct.Struct("<q16sI")
"""pts, digest of the picture, number of detections; boxes, scores and labels follow."""
_SUFFIX = ".journal"
_BOX_BYTES, _NUMBER_BYTES = 16, 4
_MOST_TRIES = 10


class Journal:
    """The journal of the part that will be written to `output`. It is a context manager that unlocks and closes it.

    Args:
        output: the file of the part; its folder exists.
        waiting: called once if another process works on the same part, before waiting for it.

    Attributes:
        count: frames in it.

    Raises:
        SinkUnavailable: the folder is not writable.
    """

    def __init__(self, output: Path, *, waiting: Callable[[], None] = lambda: None) -> None:
        self.path = journal_path(output)
        self._output = output
        self._waiting = waiting
        self.count = 0
        self._file = -1
        self._end = 0

    def __enter__(self) -> Self:
        for _ in range(_MOST_TRIES):
            try:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except OSError as error:
                reason = f"{self._output}: {error.strerror}"
                raise SinkUnavailable(f"cannot write {reason}; choose another output") from error
            try:
                self._lock()
                if self._is_current():
                    return self
            except BaseException:
                self._close()
                raise
            self._close()  # the other process has completed the part and removed the journal
        raise SinkUnavailable(f"cannot lock {self.path}: other processes replace it; choose another output")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        has_begun = self._end > 0
        if not self.count and (has_begun or os.fstat(self._file).st_size == 0):  # it ended before the first frame
            self.remove()
        self._close()

    @classmethod
    def remove_old(cls, output: Path) -> None:
        """Remove the journal of a complete part, unless its process still has it: one was killed between the two."""
        path = journal_path(output)
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)

    def begin(self, part: PartDetections, *, refused: Callable[[], None] = lambda: None) -> dict[int, FrameDetections]:
        """The frames that are detected already, by pts; empty if the journal is new, or of other detections.

        Args:
            part: what the part will be, without frames.
            refused: called if the journal has frames of another plan, model or arithmetic, which are not used.

        Raises:
            SinkError: the journal cannot be written.
        """
        head = _header(part)
        # Not with a second descriptor: on NFS its end would release the lock.
        records = list(_records(os.pread(self._file, os.fstat(self._file).st_size, 0)))
        frames: dict[int, FrameDetections] = {}
        if records and records[0][0] == head:
            self._end = records[0][1]
            for record, end in records[1:]:
                try:
                    frame = _frame(record)
                except (ValueError, struct.error):
                    break
                frames[frame.pts] = frame
                self._end = end
            os.ftruncate(self._file, self._end)
            self.count = len(frames)
            return frames
        if len(records) > 1:
            refused()
        self._end = 0
        os.ftruncate(self._file, 0)
        self._append(_MAGIC + _record(head))
        return {}

    def add(self, frame: FrameDetections) -> None:
        """Append a detected frame. It survives the process, not a power cut.

        Raises:
            SinkError: the disk is full; the frames before are kept.
        """
        found = frame.detections
        head = _FRAME.pack(frame.pts, frame.picture_digest, len(found))
        self._append(_record(head + b"".join(one.tobytes() for one in (found.boxes, found.scores, found.labels))))
        self.count += 1

    def remove(self) -> None:
        """The part is complete."""
        with suppress(OSError):
            self.path.unlink()

    def _append(self, content: bytes) -> None:
        written = 0
        try:
            while written < len(content):
                written += os.pwrite(self._file, content[written:], self._end + written)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise SinkError(
                f"cannot write {self.path}: {error.strerror}; free some space and run the same command again, which "
                "goes on from here"
            ) from error
        self._end += len(content)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._waiting()
            fcntl.flock(self._file, fcntl.LOCK_EX)  # a signal ends the wait
        except OSError:
            return  # a disk without locks

    def _is_current(self) -> bool:
        try:
            there, own = self.path.stat(), os.fstat(self._file)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def journal_path(output: Path) -> Path:
    """The name of the journal of a part."""
    return output.with_name(paths.shortened(f".{output.name}", _SUFFIX, paths.most_bytes_in(output.parent)))


def _header(part: PartDetections) -> bytes:
    worker = part.worker
    values: dict[str, Any] = {
        "plan": part.plan_digest,
        "part": part.number,
        "model": worker.model,
        "precision": worker.precision,
        "canary": worker.canary,
        "classes": labels_to_dict(part.labels),
    }
    return json.dumps(values).encode()


def _record(content: bytes) -> bytes:
    return _RECORD.pack(len(content), zlib.crc32(content)) + content


def _records(content: bytes) -> Iterator[tuple[bytes, int]]:
    """The complete records of a journal, and where each ends."""
    if not content.startswith(_MAGIC):
        return
    at = len(_MAGIC)
    while len(content) - at >= _RECORD.size:
        length, checksum = _RECORD.unpack_from(content, at)
        at += _RECORD.size
        record = content[at : at + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        at += length
        yield record, at


def _frame(record: bytes) -> FrameDetections:
    """The frame of a record.

    Raises:
        ValueError, struct.error: it has another form.
    """
    pts, digest, count = _FRAME.unpack_from(record)
    boxes_end = _FRAME.size + _BOX_BYTES * count
    scores_end = boxes_end + _NUMBER_BYTES * count
    boxes = np.frombuffer(record[_FRAME.size : boxes_end], "<f4").reshape(count, 4)
    scores = np.frombuffer(record[boxes_end:scores_end], "<f4")
    labels = np.frombuffer(record[scores_end:], "<i4")
    return FrameDetections(pts, digest, Detections(boxes, scores, labels))
