"""Where control sockets are, which of them are in use, and how one is taken. Any thread.

A socket of a dead process stays in the file system, so a file alone does not mean that a program listens.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamer.errors import ConfigError
from streamer.system.paths import shortened

MOST_BYTES = 107
"""The longest path of a Unix socket on Linux (unix(7): 108 with the null byte at its end)."""
SYSTEM_FOLDER = Path("/run/streamer")
"""The runtime directory of the systemd unit in deploy/."""
_CONNECT_S = 2.0
_DIGITS = 8


def default_path(config: Path) -> Path:
    """The socket of a site that names none; its folder is made if it does not exist.

    A service has `streamer.sock` in its runtime directory. Elsewhere the name has a part that is different for each
    settings file, so a user may run several sites, and none of them twice.

    Args:
        config: the settings file of the site.

    Raises:
        ConfigError: the folder cannot be made, or it belongs to another user.
    """
    folder = next(_own_folders())
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        reason = f"cannot make {folder} for the control socket: {error.strerror}"
        raise ConfigError(f"{reason}; set control.socket") from error
    if folder == _temporary_folder() and not _is_private(folder):
        raise ConfigError(f"{folder} is not a folder of this user with mode 0700; remove it, or set control.socket")
    if os.environ.get("RUNTIME_DIRECTORY"):
        return folder / "streamer.sock"
    digest = hashlib.sha256(os.fsencode(config.resolve())).hexdigest()[:_DIGITS]
    return folder / shortened(config.stem, f"-{digest}.sock", MOST_BYTES - len(os.fsencode(folder)) - 1)


def folders() -> list[Path]:
    """Where a site of this user, or the system's, has its socket."""
    found = [folder for folder in _own_folders() if folder != _temporary_folder() or _is_private(folder)]
    return list(dict.fromkeys([*found, SYSTEM_FOLDER]))


def running() -> list[Path]:
    """The sockets in `folders` that a program listens on."""
    found: list[Path] = []
    for folder in folders():
        for path in sorted(folder.glob("*.sock")):
            with suppress(FileNotFoundError):  # its program has ended meanwhile
                if is_in_use(path):
                    found.append(path)
    return found


def is_in_use(path: Path) -> bool:
    """Whether a program listens; also if that is unknown, because the socket belongs to another user.

    Raises:
        OSError: no such file.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_S)
        try:
            client.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        except (BlockingIOError, TimeoutError, PermissionError):  # many connections wait; another user
            return True
    return True


def listen(path: Path) -> socket.socket:
    """A listening socket that only this user can connect to (mode 0600). One of a dead process is replaced.

    Raises:
        ConfigError: another program listens there, another file has that name, or the path is invalid.
    """
    length = len(os.fsencode(path))
    if length > MOST_BYTES:
        raise ConfigError(
            f"control.socket: {path} has {length} bytes, a socket at most {MOST_BYTES}; choose a shorter path"
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _locked(path.parent):
            _remove_dead(path)
            listener.bind(os.fspath(path))
            path.chmod(0o600)
            listener.listen()
    except OSError as error:
        listener.close()
        reason = f"control.socket: cannot listen on {path}: {error.strerror or error}"
        remedy = (
            f"create {path.parent}, or choose another path" if error.errno == errno.ENOENT else "choose another path"
        )
        raise ConfigError(f"{reason}; {remedy}") from error
    except ConfigError:
        listener.close()
        raise
    return listener


def _remove_dead(path: Path) -> None:
    if path.exists() and not path.is_socket():
        raise ConfigError(f"control.socket: {path} exists and is no socket; choose another path")
    if path.exists() and is_in_use(path):
        raise ConfigError(
            f"control.socket: {path} is in use; end the site that is running already, or choose another path"
        )
    path.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two programs that find the same dead socket must not replace it both. The lock ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _own_folders() -> Iterator[Path]:
    """From the best on: that of the systemd unit, that of the login session, one in the folder for temporary files."""
    if unit := os.environ.get("RUNTIME_DIRECTORY", ""):
        yield Path(unit.partition(":")[0])
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if session and os.access(session, os.W_OK | os.X_OK):
        yield Path(session, "streamer")
    yield _temporary_folder()


def _temporary_folder() -> Path:
    return Path(tempfile.gettempdir(), f"streamer-{os.getuid()}")


def _is_private(folder: Path) -> bool:
    """Whether no other user can put a socket there, which would get the passwords of cameras."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
