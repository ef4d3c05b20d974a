"""A running `streamer serve` is reloaded, changed and ended: by signals, by commands, seen by a service manager."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.program import DEADLINE_S, Program, Result
from tests.cli.test_terminal import Pseudoterminal

pytestmark = pytest.mark.usefixtures("starter_weights")

CAMERA = (
    '  {name}: {{source: {{uri: "lavfi:testsrc2=size=64x48:rate=10", live: true}}, outputs: [{{to: {name}.jsonl}}]}}\n'
)


class Manager:
    """A service manager that waits for the messages of the program."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(DEADLINE_S)

    def wait_for(self, line: str) -> None:
        """Wait for a message with this line."""
        while line not in self._socket.recv(4096).decode().splitlines():
            pass

    def close(self) -> None:
        """End."""
        self._socket.close()


@pytest.fixture
def manager(program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """It watches the programs of the test, whose control sockets are in the folder of the test."""
    manager = Manager(program.folder / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(program.folder / "notify"))
    for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(program.folder))
    yield manager
    manager.close()


def write_site(program: Program, *names: str, more: str = "") -> None:
    cameras = "".join(CAMERA.format(name=name) for name in names)
    (program.folder / "site.yaml").write_text(f"detector: {{name: starter, workers: 1}}\n{more}cameras:\n{cameras}")


@contextmanager
def site(program: Program, manager: Manager, *names: str) -> Iterator[subprocess.Popen[str]]:
    """A site with these cameras, from the start of all to a kill if the test has not ended it."""
    write_site(program, *names)
    with program.start("serve", "--config", "site.yaml") as process:
        try:
            manager.wait_for("READY=1")
            yield process
        finally:
            process.kill()


def cameras(program: Program) -> list[str]:
    result = program("cameras", "list", "--json")
    assert result.code == 0, result.errors
    return [camera["name"] for camera in json.loads(result.output)]


def ended(process: subprocess.Popen[str]) -> Result:
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=DEADLINE_S)
    return Result(process.returncode, output, errors)


def test_sighup_reloads_and_sigterm_ends(program: Program, manager: Manager) -> None:
    with site(program, manager, "front") as process:
        write_site(program, "front", "garage")
        process.send_signal(signal.SIGHUP)
        for line in ("RELOADING=1", "READY=1"):
            manager.wait_for(line)
        assert cameras(program) == ["front", "garage"]
        write_site(program, "front", more="detecter: {}\n")
        process.send_signal(signal.SIGHUP)
        for line in ("RELOADING=1", "READY=1"):
            manager.wait_for(line)
        assert cameras(program) == ["front", "garage"]
        result = ended(process)
        manager.wait_for("STOPPING=1")
    assert result.code == 143, result.errors
    assert "reload: added garage; 1 unchanged" in result.errors
    assert "error: reload: detecter: no such setting; did you mean detector?; nothing is changed" in result.errors
    assert "Traceback" not in result.errors
    assert {"front.jsonl", "garage.jsonl"} <= program.files()
    assert not [name for name in program.files() if name.endswith(".sock")]


def test_commands_change_the_site(program: Program, manager: Manager) -> None:
    with site(program, manager, "front", "garage") as process:
        uri = "lavfi:testsrc2=size=64x48:rate=5"
        options = ("--set", "source.live=true", "--set", "detector.fps=1", "-o", "side.txt")
        assert program("cameras", "add", "side", uri, *options).code == 0
        assert program("cameras", "remove", "garage").code == 0
        assert cameras(program) == ["front", "side"]
        assert program("cameras", "restart", "front").output == "restarted front\n"
        assert "did you mean front?" in program("cameras", "restart", "frnt").errors
        write_site(program, "front", more="metrics: {adress: 1}\n")
        refused = program("reload")
        assert (refused.code, refused.output) == (2, "")
        assert refused.errors == "error: metrics.adress: no such setting; did you mean address?; nothing is changed\n"
        write_site(program, "front", "garage")
        result = program("reload")
        assert (result.code, result.output) == (0, "added garage; removed side; 1 unchanged\n")
        assert cameras(program) == ["front", "garage"]
        assert ended(process).code == 143


def test_a_site_reloads_and_goes_on_after_its_terminal_is_closed(program: Program, manager: Manager) -> None:
    write_site(program, "front")
    running = Pseudoterminal(program, "serve", "--config", "site.yaml", controls=True)
    try:
        manager.wait_for("READY=1")
        write_site(program, "front", "garage")
        running.close()
        for line in ("RELOADING=1", "READY=1"):
            manager.wait_for(line)
        assert cameras(program) == ["front", "garage"]
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(DEADLINE_S) == 143
    finally:
        running.process.kill()
        running.process.wait()


def test_a_second_site_of_the_same_file_is_refused(program: Program, manager: Manager) -> None:
    with site(program, manager, "front"):
        second = program("serve", "--config", "site.yaml", "--overwrite")
        assert second.code == 2
        assert re.fullmatch(r"error: control\.socket: \S+ is in use; end the site .*\n", second.errors)
        assert cameras(program) == ["front"]
