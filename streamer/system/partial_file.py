"""A file that is written under a temporary name and renamed when it is complete.

Every sink that writes a file uses it, so an incomplete file never has the final name. Used by the thread of the sink.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from streamer.errors import Interrupted, SinkError, SinkUnavailable
from streamer.system import paths

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK, errno.EINVAL}


def completes(kind: type[BaseException] | None) -> bool:
    """Whether a sink that is left with this exception type completes its output; otherwise it removes the output."""
    return kind is None or issubclass(kind, Interrupted | KeyboardInterrupt | SystemExit)


class PartialFile:
    """An output file under a temporary name; `commit` gives it the final name, `discard` removes it.

    The constructor creates an empty temporary file in the same folder and with the same suffix, which also checks that
    the folder is writable. So create it when the sink is entered, not before. An output that is not a regular file
    (`/dev/null`, a FIFO) is written directly; then `commit` and `discard` do nothing. For a symbolic link the target is
    written.

    Args:
        path: the final name.
        overwrite: replace an existing file.

    Attributes:
        path: the name to write to.
        final: the name after `commit`.

    Raises:
        SinkUnavailable: the file exists, is a folder, or its folder is missing or not writable.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._overwrite = overwrite
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = None
        except (OSError, ValueError) as error:
            raise SinkUnavailable(f"cannot write {path}: {_reason(error)}; choose another output") from error
        if mode is not None and stat.S_ISDIR(mode):
            raise SinkUnavailable(f"cannot write {path}: it is a folder; name a file in it")
        # There is nothing to rename or remove: a special file, or after commit or discard.
        self._done = mode is not None and not stat.S_ISREG(mode)
        if self._done:
            self.final = self.path = path
            return
        if mode is not None and not overwrite:
            raise SinkUnavailable(f"{path} exists already; choose another name or set overwrite")
        # Only for a link: the absolute path of a deep folder can be longer than the system allows.
        self.final = Path(os.path.realpath(path)) if path.is_symlink() else path
        self.path = self.final.with_name(_temporary_name(self.final))
        self._create(path, 0o666 if mode is None else stat.S_IMODE(mode))

    def commit(self, *, keep: bool = False) -> None:
        """Sync the file to the disk and give it its final name in one step. Does nothing after `discard`.

        Args:
            keep: keep the temporary file if this fails.

        Raises:
            SinkError: the file cannot be synced or renamed, or another file was created under the final name. In the
                second case the output stays under its temporary name, which the message contains.
        """
        if self._done:
            return
        self._done = True
        try:
            sync(self.path)
            if self._overwrite:
                self.path.replace(self.final)
            else:
                move_to_free_name(self.path, self.final)
            sync(self.final.parent)
        except FileExistsError as error:
            raise SinkError(f"{self.final} was created by another program; output kept as {self.path}") from error
        except OSError as error:
            if keep:
                raise SinkError(f"cannot finish {self.final}: {_reason(error)}; kept as {self.path}") from error
            self._remove()
            raise SinkError(f"cannot finish {self.final}: {_reason(error)}; nothing was kept") from error

    def leave(self) -> None:
        """Leave the temporary file as it is: `commit` and `discard` do nothing from now on."""
        self._done = True

    def complete(self, text: str) -> None:
        """Write a text and `commit`.

        Raises:
            SinkError: the text cannot be written; nothing is left behind.
        """
        try:
            self.path.write_text(text, encoding="utf-8")
        except OSError as error:
            self.discard()
            raise SinkError(f"cannot write {self.final}: {_reason(error)}; nothing was kept") from error
        self.commit()

    def discard(self) -> None:
        """Remove the temporary file. Does nothing after `commit` or a second time."""
        if not self._done:
            self._done = True
            self._remove()

    def _create(self, asked: Path, mode: int) -> None:
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SinkUnavailable(f"cannot write {asked}: no folder {self.final.parent}; create it first") from error
        except OSError as error:
            reason = _reason(error)
            raise SinkUnavailable(
                f"cannot write {asked}: folder {self.final.parent}: {reason}; choose another output"
            ) from error

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def make_folder(folder: Path) -> None:
    """Create a folder for outputs, if it does not exist.

    Raises:
        SinkUnavailable: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(f"cannot create {folder}: {_reason(error)}; choose another folder") from error


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader finds either the old content or the new one.

    Raises:
        OSError: the file cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def move_to_free_name(source: Path, target: Path) -> None:
    """Rename a file without replacing another one.

    Raises:
        FileExistsError: the target exists.
        OSError: the file cannot be renamed.
    """
    # A rename would replace a file that was created after the check; a hard link never does.
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # FAT and some network disks have no links: create the target exclusively, then replace it.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            source.replace(target)
        except OSError:
            target.unlink()
            raise
    else:
        source.unlink()


def _temporary_name(final: Path) -> str:
    most_bytes = paths.most_bytes_in(final.parent)
    mark = f".{secrets.token_hex(4)}.partial"
    # A suffix too long for the temporary name does not select a container.
    suffix = final.suffix if len(os.fsencode(mark + final.suffix)) < most_bytes else ""
    return paths.shortened(f".{final.stem}", mark + suffix, most_bytes)


def sync(path: Path) -> None:
    """Sync a file or a folder to the disk.

    Raises:
        OSError: it cannot be synced.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot sync a folder. That lowers durability but never breaks a file.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
