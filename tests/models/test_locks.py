"""The lock between processes that download the same module, and the folders of killed downloads."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from streamer.models import cache, store
from tests.models.archive_server import ArchiveServer
from tests.models.archives import snapshot

DEADLINE_S = 60.0
HOLD = """
import sys
from pathlib import Path
from streamer.models import cache
with cache.locked(Path(sys.argv[1]), 60):
    print("held", flush=True)
    input()
"""
FETCH = "import sys; from streamer.models import store; print(store.fetch(sys.argv[1]))"


@contextmanager
def owner(entry: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it reads a line."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    code = [sys.executable, "-c", HOLD, str(entry)]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def draft_of(entry: Path) -> Path:
    draft = entry.with_name(f"{entry.name}.abc.tmp")
    draft.mkdir(parents=True)
    return draft


def test_a_killed_owner_leaves_no_lock(url: str, entry: Path, module: Path) -> None:
    with owner(entry) as process:
        process.kill()
        process.wait(DEADLINE_S)
        store.fetch(url)
    assert snapshot(entry) == snapshot(module)
    assert not list(entry.parent.glob("*.lock"))


def test_an_owner_that_makes_no_progress_is_not_waited_for(url: str, entry: Path, module: Path) -> None:
    with owner(entry) as process:
        store.fetch(url, timeout_s=0.2)
        assert process.poll() is None
    assert snapshot(entry) == snapshot(module)


def test_an_owner_that_makes_progress_is_waited_for(entry: Path) -> None:
    half = draft_of(entry) / "archive"
    over = threading.Event()

    def write() -> None:
        while not over.wait(0.02):
            with half.open("ab") as file:
                file.write(b"x")

    writer = threading.Thread(target=write)
    with owner(entry) as process:
        writer.start()
        release = threading.Timer(1.5, process.communicate, ["\n"])
        release.start()
        with cache.locked(entry, 0.25):  # six times as long
            assert process.wait(DEADLINE_S) == 0
            over.set()
    release.join()
    writer.join()


@pytest.mark.slow
def test_ctrl_c_ends_the_wait_for_a_lock(url: str, entry: Path) -> None:
    with owner(entry):
        main = Path(__file__).parents[2] / "main.py"
        command = [sys.executable, str(main), "models", "fetch", url]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
            # Only the lock file of the other process tells that this one waits: it is opened by both.
            while str(entry.with_name(f"{entry.name}.fetch.lock")) not in open_files(waiting.pid):
                assert waiting.poll() is None
            waiting.send_signal(signal.SIGINT)
            _, errors = waiting.communicate(timeout=DEADLINE_S)
    assert waiting.returncode == 130, errors
    assert "Traceback" not in errors
    assert not entry.exists()


def open_files(process: int) -> set[str]:
    folder = Path(f"/proc/{process}/fd")
    if not folder.is_dir():
        pytest.skip("no /proc")
    found = set()
    for link in folder.iterdir():
        try:
            found.add(str(link.readlink()))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_two_processes_at_once(server: ArchiveServer, url: str, entry: Path, module: Path) -> None:
    server.script.faults = ["", "waits"]  # the first answer is the redirect
    first = subprocess.Popen([sys.executable, "-c", FETCH, url], stdout=subprocess.PIPE, text=True)
    assert server.script.half_sent.wait(DEADLINE_S)
    assert list(entry.parent.glob("*.lock"))
    # The second waits here, in this process.
    threading.Timer(0.5, server.script.go_on.set).start()
    assert store.fetch(url) == entry
    output, _ = first.communicate(timeout=DEADLINE_S)
    assert output.strip() == str(entry)
    assert len(server.script.requests) == 2, "one of them downloaded"
    assert snapshot(entry) == snapshot(module)
    assert len(list(entry.parent.iterdir())) == 3


@pytest.mark.slow
def test_many_processes_leave_one_whole_module(server: ArchiveServer, url: str, entry: Path, module: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", FETCH, url], stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(DEADLINE_S) for process in running] == [0] * 4
    assert len(server.script.requests) == 2, "one of them downloaded"
    assert snapshot(entry) == snapshot(module)
    assert len(list(entry.parent.iterdir())) == 3


def test_folders_of_killed_downloads_are_removed_later(url: str, entry: Path) -> None:
    entry.parent.mkdir(parents=True)
    old, young = (entry.with_name(f"{entry.name}.{uid}.tmp") for uid in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    store.fetch(url)
    assert not old.exists()
    assert young.exists()


def test_a_wait_names_the_process_and_its_host(url: str, entry: Path, caplog: pytest.LogCaptureFixture) -> None:
    with owner(entry) as process:
        store.fetch(url, timeout_s=0.5)
        told = f"waiting for process {process.pid} on {platform.node()}, which downloads the same model"
    assert caplog.messages == [told]


def test_a_lock_of_an_unknown_program_is_reported(url: str, entry: Path, caplog: pytest.LogCaptureFixture) -> None:
    entry.parent.mkdir(parents=True)
    with filelock.FileLock(entry.with_name(f"{entry.name}.fetch.lock")):
        store.fetch(url, timeout_s=0.5)
    assert caplog.messages == ["waiting for another process, which downloads the same model"]
    assert not list(entry.parent.glob("*.owner"))
