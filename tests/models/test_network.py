"""Proxies, certificates, offline mode."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from streamer.errors import ModelError
from streamer.models import hub, store
from tests.models.archive_server import ArchiveServer, Proxy, running
from tests.models.archives import snapshot


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between attempts."""
    monkeypatch.setattr(hub, "BACKOFF_S", 0.01)


def test_through_a_proxy(server: ArchiveServer, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    with running(Proxy()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//carol:s3cret@"))
        url = f"http://models.example:{server.server_port}/m.tar.gz"  # only the proxy knows that host
        assert snapshot(store.fetch(url)) == snapshot(module)
        assert [asked.partition("?")[0] for asked in proxy.asked] == [url]
    with pytest.raises(ModelError, match=r"the proxy cannot be used") as caught:
        store.fetch(url.replace("m.tar.gz", "other.tar.gz"))
    assert "s3cret" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("ca")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *kind, *files, *names], check=True, capture_output=True)
    return folder


class TestCertificates:
    """A server with a certificate of the user's own CA."""

    @pytest.fixture
    def url(self, server: ArchiveServer, certificate: Path) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        return server.url.replace("http:", "https:") + "/m.tar.gz"

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_it_is_trusted_when_named(
        self, url: str, certificate: Path, module: Path, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, str(certificate / "cert.pem"))
        assert snapshot(store.fetch(url)) == snapshot(module)

    def test_it_is_not_trusted_otherwise(self, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ModelError, match="its certificate is not trusted; REQUESTS_CA_BUNDLE names a file"):
            store.fetch(url, attempts=1)
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
        with pytest.raises(ModelError, match="REQUESTS_CA_BUNDLE or SSL_CERT_FILE names no file"):
            store.fetch(url)
        assert snapshot(cache) == {"hub": None}


def test_offline(server: ArchiveServer, url: str, cache: Path, entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in (True, False):
        if not asked:
            monkeypatch.setenv("STREAMER_OFFLINE", "1")
        with pytest.raises(ModelError, match="nothing may be fetched") as caught:
            store.fetch(url, offline=asked)
        assert f"copy {entry}" in str(caught.value)
        for name in store.PINNED:
            with pytest.raises(ModelError, match=f"the model {name} is not in the cache"):
                store.fetch(name, offline=asked)
    assert server.script.requests == []
    assert not cache.exists()
    monkeypatch.delenv("STREAMER_OFFLINE")
    folder = store.fetch(url)
    assert store.fetch(url, offline=True) == folder
    (folder / "saved_model.pb").write_bytes(b"")
    before, requests = snapshot(cache), len(server.script.requests)
    with pytest.raises(ModelError, match=r"its saved_model\.pb has 0 bytes instead of"):
        store.fetch(url, offline=True)
    assert snapshot(cache) == before
    assert len(server.script.requests) == requests
