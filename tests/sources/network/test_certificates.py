"""Servers over TLS are checked: by FFmpeg (rtsps) and by the program's own client (https), with the same words."""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
import trustme

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.network import certificates
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera
from tests.pipeline.parts import DEADLINE_S
from tests.sources.network.http.http_cameras import HttpCamera

ALWAYS = SourceSettings(stall_s=DEADLINE_S)
LAST_YEAR = datetime.now(UTC) - timedelta(days=365)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program believe the authority, and no other."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


def context(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    dates = {"not_before": LAST_YEAR, "not_after": LAST_YEAR + timedelta(days=30)} if expired else {}
    authority.issue_cert(*names, **dates).configure_cert(made)  # type: ignore[arg-type]
    return made


@contextmanager
def tls_in_front_of(port: int, tls: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that hands on what it decrypts to another one on this machine."""
    with ExitStack() as ends, socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    threading.Thread(target=meet, args=(client,), daemon=True).start()

        def meet(client: socket.socket) -> None:
            with suppress(OSError):
                inside = ends.enter_context(tls.wrap_socket(client, server_side=True))
                camera = ends.enter_context(socket.create_connection(("127.0.0.1", port)))
                inside.settimeout(0.01)  # one thread for both directions, as OpenSSL requires
                camera.settimeout(0.01)
                while True:
                    for source, target in ((inside, camera), (camera, inside)):
                        with suppress(TimeoutError, ssl.SSLWantReadError):
                            data = source.recv(1 << 16)
                            if not data:
                                return
                            target.settimeout(DEADLINE_S)
                            target.sendall(data)
                            target.settimeout(0.01)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def camera_at(scheme: str, tls: ssl.SSLContext) -> Iterator[str]:
    """The address of a camera over TLS."""
    if scheme == "https":
        with HttpCamera(tls=tls) as camera:
            yield camera.url("/mjpeg/good")
    else:
        with Camera(key_frame_on_play=True) as filming, tls_in_front_of(filming.port, tls) as port:
            yield f"rtsps://127.0.0.1:{port}/live"


def check_shown(url: str, *, verify: bool = True) -> None:
    with LiveSource(NetworkConnector(url, SourceSettings(verify=verify)), ALWAYS) as opened:
        assert len(list(itertools.islice(opened, 3))) == 3


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["https", "rtsps"])
def test_a_private_authority_is_trusted_if_configured(authority: trustme.CA, scheme: str) -> None:
    with camera_at(scheme, context(authority, "127.0.0.1")) as url:
        check_shown(url)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["https", "rtsps"])
@pytest.mark.parametrize(
    ("kind", "saying"),
    [
        ("unknown", "name its authority in SSL_CERT_FILE"),
        ("expired", "expired; renew it"),
        ("another", "use the host name of the certificate in the address"),
    ],
)
def test_an_untrusted_certificate_is_reported_with_a_remedy(
    authority: trustme.CA, scheme: str, kind: str, saying: str
) -> None:
    issuer = trustme.CA() if kind == "unknown" else authority
    name = "camera.example" if kind == "another" else "127.0.0.1"
    with camera_at(scheme, context(issuer, name, expired=kind == "expired")) as url:
        with pytest.raises(SourceUnavailable, match=f"{saying}, or set source.verify: false") as caught:
            check_shown(url.replace("://", "://me:swordfish@"))
        assert caught.value.cause == "certificate"
        assert "swordfish" not in str(caught.value)
        check_shown(url, verify=False)


@pytest.mark.usefixtures("trusted")
def test_a_relayed_login_is_sent_to_trusted_servers_only(authority: trustme.CA) -> None:
    with Camera(auth=("sha256", "me", "word"), key_frame_on_play=True) as camera:
        with tls_in_front_of(camera.port, context(authority, "127.0.0.1")) as port:
            check_shown(f"rtsps://me:word@127.0.0.1:{port}/live")
        with (
            tls_in_front_of(camera.port, context(trustme.CA(), "127.0.0.1")) as port,
            pytest.raises(SourceUnavailable, match="not trusted"),
        ):
            check_shown(f"rtsps://me:word@127.0.0.1:{port}/live")


def test_authorities_come_from_the_environment_the_system_or_certifi(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in certificates.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    system = ssl.get_default_verify_paths().cafile
    assert certificates.authorities() == (system or certifi.where())
    none = os.path.devnull + "/none"
    paths = ssl.DefaultVerifyPaths(none, None, "", none, "", "")  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert certificates.authorities() == certifi.where()
    monkeypatch.setenv("SSL_CERT_FILE", "/mine.pem")
    assert certificates.authorities() == "/mine.pem"


@pytest.mark.parametrize("scheme", ["https", "rtsps"])
def test_unreadable_authorities_are_reported(
    authority: trustme.CA, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    with (
        camera_at(scheme, context(authority, "127.0.0.1")) as url,
        pytest.raises(SourceUnavailable, match=r"authorities .*cannot be read|/no/such/file\.pem"),
    ):
        check_shown(url)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_server_that_requires_tls_is_reported_with_the_scheme(authority: trustme.CA, scheme: str) -> None:
    with (
        Camera() as camera,
        tls_in_front_of(camera.port, context(authority, "127.0.0.1")) as port,
        pytest.raises(SourceUnavailable, match=f"a server that requires TLS listens at that port; write {scheme}s://"),
    ):
        LiveSource(NetworkConnector(f"{scheme}://127.0.0.1:{port}/live"), ALWAYS).__enter__()
