"""`models list | fetch | check` and `--offline` on the command line."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.clips import write_video
from tests.detectors.tfhub import tiny_module
from tests.models import archives
from tests.models.archive_server import MODULE_PATH, ArchiveServer, running


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("TFHUB_CACHE_DIR", "STREAMER_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server(cache: Path) -> Iterator[ArchiveServer]:
    del cache
    with running(ArchiveServer()) as server:
        yield server


@pytest.mark.slow
def test_fetch_list_and_check(program: Program, server: ArchiveServer, cache: Path, tmp_path: Path) -> None:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    server.script.archive = archives.of_folder(tiny_module.write(tmp_path / "module", variables=True))
    sha256 = hashlib.sha256(server.script.archive).hexdigest()
    url = server.url + MODULE_PATH
    folder = cache / "hub" / hashlib.sha1(url.encode()).hexdigest()

    result = program("models", "fetch", url, "--sha256", sha256)
    assert (result.code, result.output) == (0, f"{url} is at {folder}\n"), result.errors
    assert result.errors == ""

    listed = program("models", "list")
    assert listed.code == 0, listed.errors
    assert f"{url}: ready, 0.0 MB, TensorFlow Hub module" in listed.output
    assert f"  from {server.url}/storage/module.tar.gz, fetched 2" in listed.output
    assert f"  at   {folder}" in listed.output
    assert "nanodet: missing" in listed.output
    assert "faster_rcnn_openimages_v4: missing" in listed.output

    asked = len(server.script.requests)
    checked = program("models", "check", url, "--device", "cpu", "--size", "160x90")
    assert checked.code == 0, checked.errors
    assert checked.output.startswith(f"{url} works\n  601 classes, loaded in ")
    assert "\n  device cpu: CPU, float32\n" in checked.output
    assert re.search(r"operations that ran: \d\d+ on CPU:0\n", checked.output)
    assert re.search(r"first frame \d+ ms, then \d+ ms a frame of 160x90\n", checked.output)

    weights = folder / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(bytes(len(weights.read_bytes())))
    damaged = program("models", "check", url)
    assert damaged.code == 2
    assert "is damaged: its variables/variables.data-00000-of-00001 has another checksum" in damaged.errors
    assert "models fetch" in damaged.errors
    assert len(server.script.requests) == asked


@pytest.mark.slow
def test_a_missing_module_leaves_no_output(program: Program, server: ArchiveServer, cache: Path) -> None:
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    clip = write_video(program.folder / "clip.mp4", frames=3)
    server.script.fault = "403"
    url = server.url.replace("//", "//carol:s3cret@") + MODULE_PATH
    before = program.files()
    result = program("run", clip, "-o", "out.mp4", "--detector", url)
    assert result.code == 2
    assert "HTTP 403 Forbidden): a login" in result.errors
    assert "Traceback" not in result.errors
    assert "s3cret" not in result.errors + result.output
    assert program.files() - {"cache", "cache/hub"} == before
    assert not list((cache / "hub").iterdir())


@pytest.mark.parametrize("detector", ["URL", "starter", "auto"])
def test_offline_opens_no_connection(program: Program, server: ArchiveServer, cache: Path, detector: str) -> None:
    clip = write_video(program.folder / "clip.mp4", frames=3)
    before = program.files()
    name = server.url + MODULE_PATH if detector == "URL" else detector
    result = program("run", clip, "-o", "out.mp4", "--detector", name, "--offline")
    assert result.code == 2
    assert "nothing may be fetched" in result.errors
    assert "models fetch" in result.errors
    assert f"copy {cache}" in result.errors
    assert "Traceback" not in result.errors
    assert program.files() == before
    assert server.script.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "yolo"], "no model 'yolo'; there are nanodet, starter, faster_rcnn_openimages_v4"),
        (["fetch", "https://host.example/m/1", "--sha256", "abc"], "64 hexadecimal digits"),
        (["fetch", "starter", "--sha256", "0" * 64], "that of a model known by name is fixed"),
        (["fetch", "nanodet", "starter", "--sha256", "0" * 64], "fetch the models one by one"),
        (["fetch", "gs://bucket/m.tar.gz"], "only http(s) URLs, .tar.gz files and folders"),
        (["check", "no/such.tar.gz"], "no model 'no/such.tar.gz'"),
        (["check", "https://host.example/m/1"], "https://host.example/m/1 is missing: `streamer models fetch"),
        (["check", "."], "it holds no saved_model.pb"),
    ],
)
def test_bad_input(program: Program, cache: Path, arguments: list[str], message: str) -> None:
    result = program("models", *arguments)
    assert result.code == 2, result.errors
    assert message in " ".join(result.errors.split())
    assert "Traceback" not in result.errors
    assert not cache.exists()
