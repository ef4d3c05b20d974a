"""A server, an empty cache and a module."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.detectors.tfhub import tiny_module
from tests.models import archives
from tests.models.archive_server import MODULE_PATH, ArchiveServer, running

VARIABLES = (
    "STREAMER_OFFLINE",
    "TFHUB_CACHE_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
)


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a module with weights; read-only."""
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    return tiny_module.write(tmp_path_factory.mktemp("tiny") / "module", variables=True, claims_rank_2=False)


@pytest.fixture(scope="session")
def archive(module: Path) -> bytes:
    """That module as a .tar.gz."""
    return archives.of_folder(module)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that does not exist yet, without the user's environment variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(archive: bytes, cache: Path) -> Iterator[ArchiveServer]:
    """Serves the archive."""
    del cache  # no proxy of the user may come between
    with running(ArchiveServer()) as server:
        server.script.archive = archive
        yield server


@pytest.fixture
def url(server: ArchiveServer) -> str:
    """The handle of its module."""
    return server.url + MODULE_PATH


@pytest.fixture
def entry(cache: Path, url: str) -> Path:
    """The module's folder in the cache."""
    return cache / "hub" / hashlib.sha1(url.encode()).hexdigest()
