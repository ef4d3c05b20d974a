"""Replaces a settings file in one step, and takes the change back. Called by one thread at a time.

The new content is written beside the file and checked there. A hard link keeps the old content until the change is
applied, so that taking it back needs no space on a full disk.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from streamer.errors import ConfigError
from streamer.system.partial_file import sync

log = logging.getLogger(__name__)

_NEW_MODE = 0o600  # it has passwords
_NEW_FOLDER_MODE = 0o700


class Replacement:
    """New content of a file. Making it writes the content under another name, in the same folder.

    Args:
        file: the file; a link is followed. Its folder is made if it does not exist.
        content: of the file.

    Raises:
        ConfigError: the file or its folder cannot be written; nothing is changed.
    """

    def __init__(self, file: Path, content: bytes) -> None:
        self._file = Path(os.path.realpath(file))
        self.path = self._file.with_name(f".{self._file.name}.new")
        self._content = content
        self._before = self._file.with_name(f".{self._file.name}.before")
        try:
            self._file.parent.mkdir(mode=_NEW_FOLDER_MODE, parents=True, exist_ok=True)
            self._refuse_read_only()
            self._write(content)
        except OSError as error:
            self.discard()
            raise self._refusal(error) from error

    def use(self) -> None:
        """Put the new content under the name of the file.

        Raises:
            ConfigError: that is not possible; nothing is changed.
        """
        try:
            if self._file.exists():
                self._keep()
            self.path.replace(self._file)
            sync(self._file.parent)
        except OSError as error:
            self.discard()
            raise self._refusal(error) from error

    def take_back(self) -> None:
        """After `use`: the file is as it was before, unless somebody else has changed it meanwhile."""
        try:
            if self._file.read_bytes() != self._content:
                self.discard()
            elif self._before.exists():
                self._before.replace(self._file)
            else:
                self._file.unlink()
            sync(self._file.parent)
        except OSError as error:
            log.warning("cannot take back the change of %s: %s", self._file, error.strerror or error)

    def discard(self) -> None:
        """Remove what is beside the file."""
        for path in (self.path, self._before):
            with suppress(OSError):
                path.unlink()

    def _refuse_read_only(self) -> None:
        """A rename needs no permission of the file itself: respect that its owner has made it read-only."""
        if not self._file.exists():
            return
        if not self._file.stat().st_mode & 0o222 or not os.access(self._file, os.W_OK):
            raise ConfigError(f"{self._file} is read-only; change it by hand, or allow writing: chmod u+w {self._file}")

    def _write(self, content: bytes) -> None:
        for path in (self.path, self._before):  # of a killed program
            path.unlink(missing_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NEW_MODE)
        with os.fdopen(descriptor, "wb") as file:
            if self._file.exists():
                found = self._file.stat()
                if (found.st_uid, found.st_gid) != (os.getuid(), os.getgid()):
                    os.fchown(descriptor, found.st_uid, found.st_gid)
                shutil.copystat(self._file, self.path)
                os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
            file.write(content)
            file.flush()
            os.fsync(descriptor)

    def _keep(self) -> None:
        try:
            os.link(self._file, self._before)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            shutil.copy2(self._file, self._before)  # a file system without hard links

    def _refusal(self, error: OSError) -> ConfigError:
        folder = self._file.parent
        remedies = {
            errno.EACCES: f"allow writing in {folder}, or change the file by hand",
            errno.EROFS: "its disk is read-only; mount it for writing, or change the file by hand",
            errno.EBUSY: f"the file itself is mounted; mount its folder {folder} instead, or change the file by hand",
            errno.EPERM: "it belongs to another user; run the program as its owner",
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space",
        }
        remedy = remedies.get(error.errno or 0, "change the file by hand")
        return ConfigError(f"cannot write {self._file}: {error.strerror or error}; {remedy}; nothing is changed")
