"""HTTPS with real certificates: made by the program, and given by the user."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from streamer.errors import ConfigError
from streamer.web import tls as tls_module
from streamer.web.server import WebPages
from streamer.web.tls import FILE, VALID, Tls, automatic_tls, own_tls

AUTHORITY = trustme.CA()


def written(folder: Path, name: str, **options: datetime) -> tuple[Path, Path]:
    """A certificate for localhost, with its key."""
    issued = AUTHORITY.issue_cert("localhost", **options)  # type: ignore[arg-type]
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def certificate_of(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


def answer(tls: Tls, trusted: ssl.SSLContext, name: str) -> tuple[bytes, str]:
    """What a server with this certificate answers, and the fingerprint that a client sees."""
    with (
        WebPages("the page", "127.0.0.1", 0, [web.get("/", hello)], tls=tls.context) as pages,
        socket.create_connection(pages.address, 10) as plain,
        trusted.wrap_socket(plain, server_hostname=name) as connection,
    ):
        assert pages.url == f"https://127.0.0.1:{pages.address[1]}/"
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        content = b"".join(iter(lambda: connection.recv(4096), b""))
        der = connection.getpeercert(binary_form=True)
        assert der is not None
        return content, hashlib.sha256(der).hexdigest().upper()


def test_a_certificate_is_made_once_and_trusted_by_its_fingerprint(tmp_path: Path) -> None:
    made = automatic_tls(tmp_path / "new", ["192.0.2.7", "cams.example.org", "0.0.0.0", ""])
    file = tmp_path / "new" / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert automatic_tls(tmp_path / "new", []).fingerprint == made.fingerprint
    trusted = ssl.create_default_context(cafile=str(file))
    for name in ("localhost", "127.0.0.1", "192.0.2.7", "cams.example.org"):
        content, fingerprint = answer(made, trusted, name)
        assert content.endswith(b"hello")
        assert fingerprint == made.fingerprint.replace(":", "")
    with pytest.raises(ssl.SSLCertVerificationError):
        answer(made, trusted, "other.example")


def test_the_certificate_has_what_browsers_ask_for(tmp_path: Path) -> None:
    automatic_tls(tmp_path, ["::1", "ärger", socket.gethostname()])
    found = certificate_of(tmp_path / FILE)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("::1") in names.get_values_for_type(x509.IPAddress)
    assert found.not_valid_after_utc - found.not_valid_before_utc <= timedelta(days=825)
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_certificate_that_ends_soon_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_module, "VALID", timedelta(days=20))
    first = automatic_tls(tmp_path, [])
    monkeypatch.setattr(tls_module, "VALID", VALID)
    second = automatic_tls(tmp_path, [])
    assert second.fingerprint != first.fingerprint
    assert automatic_tls(tmp_path, []).fingerprint == second.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_certificate_of_the_user_is_served_with_its_chain(tmp_path: Path) -> None:
    trusted = ssl.create_default_context()
    AUTHORITY.configure_trust(trusted)
    own = own_tls(*written(tmp_path, "own"))
    assert answer(own, trusted, "localhost")[0].endswith(b"hello")


def test_files_that_do_not_fit_are_told_in_one_line(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, "own")
    _, other = written(tmp_path, "other")
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    cases = [
        (tmp_path / "nothing.crt", key, r"web\.certificate: cannot read .*nothing\.crt: No such file"),
        (certificate, tmp_path / "nothing.key", r"web\.key: cannot read .*nothing\.key"),
        (certificate, tmp_path, r"web\.key: cannot read .*: Is a directory"),
        (garbage, key, r"web\.certificate: .*garbage\.pem has no certificate in PEM format"),
        (key, key, r"has no certificate in PEM format"),
        (certificate, certificate, r"web\.key: .*own\.crt has no private key in PEM format"),
        (certificate, other, r"web\.certificate: .*other\.key is not the key of .*own\.crt"),
    ]
    for given, private, message in cases:
        with pytest.raises(ConfigError, match=message) as caught:
            own_tls(given, private)
        assert "\n" not in str(caught.value)


def test_a_key_with_a_pass_phrase_is_refused_without_asking(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, "own")
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    phrase = serialization.BestAvailableEncryption(b"secret")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(pem, pkcs8, phrase))
    with pytest.raises(ConfigError, match="has a pass phrase"):
        own_tls(certificate, key)


def test_an_expired_certificate_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = written(tmp_path, "own", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    with caplog.at_level(logging.WARNING):
        own_tls(certificate, key)
    assert "expired on 2020-01-02" in caplog.text


def test_pages_with_and_without_https_do_not_share_a_port(tmp_path: Path) -> None:
    made = automatic_tls(tmp_path, [])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    plain = WebPages("the output", "127.0.0.1", port, [web.get("/a", hello)])
    secure = WebPages("the page", "127.0.0.1", port, [web.get("/", hello)], tls=made.context)
    with secure, pytest.raises(ConfigError, match="the output: that port serves HTTPS already"):
        plain.__enter__()
    with plain, pytest.raises(ConfigError, match="the page: that port serves HTTP already"):
        secure.__enter__()
