"""The control socket: a real Unix socket, asked by the client of the commands and by an ordinary HTTP client."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from streamer.errors import ConfigError, StreamerError
from streamer.serve.control.client import NoSite, SiteClient
from streamer.serve.control.paths import MOST_BYTES, is_in_use
from streamer.serve.control.server import ControlSocket
from tests.serve.fake_site import FakeSite
from tests.system.permissions import as_an_ordinary_user

WAIT_S = 10.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site.sock"


@pytest.fixture
def site() -> FakeSite:
    return FakeSite("front", "dead")


@pytest.fixture
def client(path: Path, site: FakeSite) -> Iterator[SiteClient]:
    """A client of a site that is served."""
    with ControlSocket(path, site):
        yield SiteClient(path)


def request(path: Path, method: str, target: str, body: str | None = None) -> tuple[int, str]:
    """Status and body of the answer to a request of any HTTP client."""
    connection = http.client.HTTPConnection("localhost")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection.sock:
        connection.sock.settimeout(WAIT_S)
        connection.sock.connect(str(path))
        connection.request(method, target, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_cameras_are_listed_with_their_state(client: SiteClient) -> None:
    front, dead = client.cameras()
    assert (front["name"], front["state"], front["source"]) == ("front", "running", "front.mp4")
    assert (front["status"], front["detector"]) == ("ok", "nanodet")
    assert front["state_s"] == pytest.approx(7300, abs=WAIT_S)
    assert (dead["state"], dead["status"], dead["reason"]) == ("waiting", "unhealthy", "waiting: connection refused")
    assert [front[f"frames_{kind}"] for kind in ("shown", "detected", "dropped")] == [0, 0, 0]


def test_a_camera_is_added_restarted_and_removed(client: SiteClient, site: FakeSite) -> None:
    client.add(
        "garage", {"source": {"uri": "rtsp://192.0.2.1/a"}, "detector": {"fps": 1}, "outputs": [{"to": "a.txt"}]}
    )
    added = site.settings["garage"]
    assert (added.source.uri, added.detector.fps, added.outputs[0].to) == ("rtsp://192.0.2.1/a", 1.0, "a.txt")
    client.restart("garage")
    assert site.restarted == ["garage"]
    client.remove("garage")
    assert [one["name"] for one in client.cameras()] == ["front", "dead"]


def test_a_reload_says_what_changed(client: SiteClient, path: Path) -> None:
    assert client.reload() == "added: garage"
    status, answer = request(path, "POST", "/reload")
    assert (status, json.loads(answer)) == (200, {"text": "added: garage", "added": ["garage"]})


@pytest.mark.parametrize("change", ["reload", "add", "remove", "restart"])
def test_a_refused_change_gives_the_reason_and_changes_nothing(client: SiteClient, site: FakeSite, change: str) -> None:
    site.error = ConfigError("another change is running; try again")
    arguments: tuple[object, ...] = {"reload": (), "add": ("garage", {})}.get(change, ("front",))
    with pytest.raises(ConfigError, match=r"^another change is running; try again(; nothing is changed)?$"):
        getattr(client, change)(*arguments)
    assert list(site.settings) == ["front", "dead"]


def test_an_unknown_camera_is_refused_with_the_nearest_name(client: SiteClient) -> None:
    with pytest.raises(ConfigError, match=r"^there is no camera 'frnt'; did you mean front\?$"):
        client.remove("frnt")
    with pytest.raises(ConfigError, match=r"^there is no camera 'caf. & co'; there is dead, front$"):
        client.restart(os.fsdecode(b"caf\xe9 & co"))


def test_an_invalid_setting_of_a_new_camera_is_refused(client: SiteClient) -> None:
    with pytest.raises(ConfigError, match=r"^cameras.garage.sorce: no such setting; did you mean source\?$"):
        client.add("garage", {"sorce": {}})


@pytest.mark.parametrize(
    ("target", "body", "reason"),
    [
        ("/cameras?name=a", "{", "cameras.a: the settings are not valid JSON"),
        ("/cameras?name=a", b"\xff".decode("latin-1"), "cameras.a: the settings are not valid JSON"),
        ("/cameras?name=a", "[1]", "cameras.a: the settings must be an object"),
        ("/cameras", "{}", "the request has no camera"),
        ("/cameras/restart", None, "the request has no camera"),
    ],
)
def test_a_malformed_request_is_refused(
    client: SiteClient, path: Path, target: str, body: str | None, reason: str
) -> None:
    status, answer = request(path, "POST", target, body)
    assert status == 422
    assert json.loads(answer)["error"].startswith(reason)
    assert len(client.cameras()) == 2


def test_the_list_is_answered_during_a_reload(client: SiteClient, site: FakeSite) -> None:
    site.go_on.clear()
    reload = threading.Thread(target=client.reload)
    reload.start()
    assert site.reloading.wait(WAIT_S)
    assert len(client.cameras()) == 2
    site.go_on.set()
    reload.join(WAIT_S)
    assert not reload.is_alive()


def test_no_answer_and_no_error_has_a_password(client: SiteClient, site: FakeSite, path: Path) -> None:
    client.add("garage", {"source": {"uri": "rtsp://me:sw0rdfish@192.0.2.1/a"}})
    assert "sw0rdfish" not in request(path, "GET", "/cameras")[1]
    site.error = ConfigError("cannot log in with sw0rdfish")
    with pytest.raises(ConfigError, match=r"cannot log in with \*\*\*"):
        client.reload()


def test_a_bug_is_answered_and_the_site_goes_on(client: SiteClient, site: FakeSite) -> None:
    site.error = RuntimeError("a bug")
    with pytest.raises(StreamerError, match="RuntimeError: a bug; the log of the site has more"):
        client.reload()
    assert len(client.cameras()) == 2


def test_only_the_user_may_connect_and_the_socket_is_removed(path: Path, site: FakeSite) -> None:
    before = os.umask(0)
    try:
        with ControlSocket(path, site):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert is_in_use(path)
    finally:
        os.umask(before)
    assert not path.exists()
    with pytest.raises(NoSite, match=f"no 'streamer serve' is running at {path}"):
        SiteClient(path).cameras()


def test_the_site_of_another_user_is_named_as_such(client: SiteClient, path: Path) -> None:
    assert client.cameras()
    path.chmod(0)
    assert as_an_ordinary_user(lambda: is_in_use(path))
    with pytest.raises(NoSite, match=f"^{path} belongs to another user; run the command as that user, or with sudo$"):
        as_an_ordinary_user(client.reload)


def test_a_socket_that_another_program_holds_is_refused(client: SiteClient, path: Path, site: FakeSite) -> None:
    with pytest.raises(ConfigError, match=f"^control.socket: {path} is in use; end the site"):
        ControlSocket(path, site).__enter__()
    assert len(client.cameras()) == 2


def test_a_socket_of_a_dead_process_is_replaced(path: Path, site: FakeSite) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.is_socket()
    with ControlSocket(path, site):
        assert len(SiteClient(path).cameras()) == 2


def test_a_socket_of_another_program_is_not_removed_at_the_end(path: Path, site: FakeSite) -> None:
    with ExitStack() as stack:
        with ControlSocket(path, site):
            path.unlink()
            stack.enter_context(ControlSocket(path, FakeSite("other")))
        assert [one["name"] for one in SiteClient(path).cameras()] == ["other"]


def test_a_file_with_the_name_of_the_socket_is_kept(path: Path, site: FakeSite) -> None:
    path.write_text("mine")
    with pytest.raises(ConfigError, match=f"^control.socket: {path} exists and is no socket; choose another path"):
        ControlSocket(path, site).__enter__()
    assert path.read_text() == "mine"


def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path, site: FakeSite) -> None:
    with pytest.raises(
        ConfigError, match=r"control.socket: cannot listen on .*/absent/a.sock: No such file.*; create .*/absent, or"
    ):
        ControlSocket(tmp_path / "absent" / "a.sock", site).__enter__()
    room = MOST_BYTES - len(os.fsencode(tmp_path)) - 1
    with pytest.raises(
        ConfigError, match=f"has {MOST_BYTES + 1} bytes, a socket at most {MOST_BYTES}; choose a shorter"
    ):
        ControlSocket(tmp_path / ("s" * (room + 1)), site).__enter__()
    with ControlSocket(tmp_path / ("s" * room), site) as served:
        assert len(SiteClient(served.path).cameras()) == 2


def test_a_program_that_does_not_answer_is_reported(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as other:
        other.bind(str(path))
        other.listen()

        def answer(content: bytes) -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(content)

        for content, reason in (
            (b"", "ended before it answered"),
            (b"HTTP/1.0 404 No\r\n\r\nNo", "does not answer like"),
        ):
            thread = threading.Thread(target=answer, args=(content,))
            thread.start()
            with pytest.raises(StreamerError, match=reason):
                SiteClient(path).reload()
            thread.join(WAIT_S)
