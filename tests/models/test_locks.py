"""Waiting for other downloads of the same module: for the living, not for the dead.

tensorflow-hub's lock `KEY.lock` holds `HOSTNAME.PID.UID`; its owner writes into `KEY.UID.tmp`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from streamer.models import download_lock, store
from tests.models.archive_server import ArchiveServer
from tests.models.archives import snapshot

WEIGHTS = "variables/variables.data-00000-of-00001"
DEADLINE_S = 60.0


def hold(entry: Path, process: int, host: str = "") -> Path:
    entry.parent.mkdir(parents=True, exist_ok=True)
    scratch = entry.with_name(f"{entry.name}.abc.tmp")
    scratch.mkdir()
    (scratch / "half").write_bytes(b"x")
    lock = entry.with_name(f"{entry.name}.lock")
    lock.write_text(f"{host or socket.gethostname()}.{process}.abc")
    return lock


def test_a_dead_owner_is_not_waited_for(url: str, entry: Path, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    monkeypatch.setattr(time, "sleep", None)  # not callable: whoever waits fails
    for dead in (gone.pid, os.getpid()):
        hold(entry, dead)
        store.fetch(url)
        assert snapshot(entry) == snapshot(module)
        assert not list(entry.parent.glob("*.lock"))
        assert not list(entry.parent.glob("*.tmp"))
        shutil.rmtree(entry)


def test_a_dead_owner_of_a_repair_is_not_waited_for(url: str, entry: Path, module: Path) -> None:
    store.fetch(url)
    (entry / WEIGHTS).unlink()
    hold(entry.with_name(f"{entry.name}.repair"), os.getpid())
    store.fetch(url)
    assert snapshot(entry) == snapshot(module)
    assert not list(entry.parent.glob("*.repair*"))


@pytest.mark.parametrize("host", ["", "elsewhere.example"])
def test_an_owner_that_stands_still_is_not_waited_for_long(url: str, entry: Path, module: Path, host: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        hold(entry, alive.pid, host)
        store.fetch(url, timeout_s=0.2)
        assert alive.poll() is None
        alive.communicate(b"\n")
    assert snapshot(entry) == snapshot(module)


def test_an_owner_that_goes_on_is_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        lock = hold(tmp_path / "entry", alive.pid)
        half = tmp_path / "entry.abc.tmp" / "half"
        looks = []

        def work(_: float) -> None:
            # In place of the pause: the owner writes, five times as long as the limit, and is done.
            looks.append(half.stat().st_size)
            half.write_bytes(b"x" * (len(looks) + 1))
            if len(looks) == 10:
                lock.unlink()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", work)
            download_lock.wait(tmp_path / "entry", timeout_s=0.0)
        alive.communicate(b"\n")
    assert looks == list(range(1, 11))


@pytest.mark.slow
def test_two_processes_at_once(server: ArchiveServer, url: str, entry: Path, module: Path) -> None:
    server.script.faults = ["", "waits"]  # the first answer is the redirect
    code = f"from streamer.models import store; print(store.fetch({url!r}))"
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
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


def test_what_killed_downloads_left_goes_after_a_day(url: str, entry: Path) -> None:
    entry.parent.mkdir(parents=True)
    old, young = (entry.with_name(f"{entry.name}.{uid}.tmp") for uid in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    store.fetch(url)
    assert not old.exists()
    assert young.exists()
