"""Where the control socket of a site is, and which sites run."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.serve.control import paths
from streamer.serve.control.server import ControlSocket
from tests.serve.fake_site import FakeSite

CONFIG = Path("site.yaml")


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for temporary files; no service manager, no login session and no system's site."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(paths, "SYSTEM_FOLDER", tmp_path / "system")
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_service_has_its_socket_in_its_runtime_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}/run:{tmp_path}/other")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths.default_path(CONFIG) == tmp_path / "run" / "streamer.sock"


def test_a_user_has_sockets_in_the_folder_of_the_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = paths.default_path(CONFIG)
    assert path.parent == tmp_path / "streamer"
    assert path.name.startswith("site-")
    assert paths.default_path(CONFIG.resolve()) == path
    assert paths.default_path(Path("other/site.yaml")) != path


@pytest.mark.parametrize("session", [None, "absent"])
def test_without_a_session_the_folder_is_private(
    monkeypatch: pytest.MonkeyPatch, temporary: Path, session: str | None
) -> None:
    if session is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(temporary / session))
    folder = paths.default_path(CONFIG).parent
    assert folder == temporary / f"streamer-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["open to others", "link", "file"])
def test_a_folder_that_another_user_may_have_made_is_refused(temporary: Path, kind: str) -> None:
    folder = temporary / f"streamer-{os.getuid()}"
    if kind == "link":
        (temporary / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(temporary / "elsewhere")
    elif kind == "file":
        folder.touch()
    else:
        folder.mkdir()
        folder.chmod(0o770)
    with pytest.raises(ConfigError, match=r"; (remove it, or )?set control.socket$"):
        paths.default_path(CONFIG)
    assert folder not in paths.folders()


def test_a_long_name_is_shortened() -> None:
    path = paths.default_path(Path("n" * 200 + ".yaml"))
    with ControlSocket(path, FakeSite()):
        assert paths.running() == [path]


def test_the_sites_that_run_are_found(temporary: Path) -> None:
    (temporary / "system").mkdir()
    dead = paths.default_path(Path("dead.yaml"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(dead))
    (dead.parent / "file.sock").touch()
    assert paths.running() == []
    with ExitStack() as stack:
        chosen = [paths.default_path(CONFIG), temporary / "system" / "streamer.sock"]
        for path in chosen:
            stack.enter_context(ControlSocket(path, FakeSite()))
        assert paths.running() == chosen
