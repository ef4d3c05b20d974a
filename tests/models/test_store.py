"""The models by name, their folders in the cache, and the table of classes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from streamer.classes import open_images
from streamer.errors import ModelError
from streamer.models import listing, store
from streamer.models.listing import State


class TestNames:
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
            with pytest.raises(ModelError, match="there are nanodet, starter, faster_rcnn"):
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


@pytest.mark.parametrize("folder", ["a/" * 3000, "~nobody-of-this-name/cache", "/dev/null"])
def test_a_cache_of_tensorflow_hub_that_cannot_be_read_is_skipped(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path))
    monkeypatch.setenv("TFHUB_CACHE_DIR", folder)
    with pytest.raises(ModelError, match="is not in the cache"):
        store.fetch(store.HUB_MODULE, offline=True)
    assert store.HUB_MODULE in [entry.name for entry in listing.listing()]


def test_one_foreign_entry_does_not_break_the_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path))
    entry = tmp_path / "hub" / "foreign"
    (entry / "variables").mkdir(parents=True)
    (entry / "saved_model.pb").write_bytes(b"\x12\x11\x12\x0f\x0a\x0d\x12\x0bVarHandleOp")
    (entry / "variables" / "variables.index").symlink_to(tmp_path / "nowhere")
    (tmp_path / "hub" / "loop").symlink_to(tmp_path / "hub" / "loop")
    found = {item.path: item for item in listing.listing()}
    assert found[entry].state is listing.State.DAMAGED
    assert "cannot be read" in found[entry].detail


def test_a_cache_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / ("x" * 300)))
    with pytest.raises(ModelError, match=r"cannot read the cache .*; let STREAMER_CACHE name another folder"):
        listing.listing()
