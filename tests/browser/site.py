"""A running `streamer serve` for a browser. The thread of the test calls it; one thread reads its messages."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.cli.program import MAIN, Program
from tests.faults.camera.ports import reserve_port

_STARTED_WITHIN_S = 60.0
_ENDED_WITHIN_S = 15.0
_PAGE_AT = re.compile(r"page at (http\S+)")
CAMERAS = """\
detector: {name: starter, workers: 1}
cameras:
  door: {source: {uri: "lavfi:testsrc2=size=640x360:rate=15", live: true}}
  yard: {source: {uri: "lavfi:smptebars=size=320x240:rate=10", live: true}}
"""
"""Two endless synthetic cameras of different sizes."""


class Site:
    """`streamer serve` in a folder, which is its home, too, on a port that it keeps over restarts.

    Args:
        folder: for its files; `site.yaml` in it has its settings.
        settings: content of `site.yaml`; None starts the program without a file.
        options: more options of the command.
    """

    def __init__(self, folder: Path, settings: str | None = CAMERAS, *options: str) -> None:
        self.folder = folder
        self.file = folder / "site.yaml"
        self._program = Program(folder)
        self._reserved = reserve_port()
        self.port = self._reserved.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.url = f"http://127.0.0.1:{self.port}/"
        chosen = [] if settings is None else ["--config", str(self.file)]
        self._command = ("serve", *chosen, "--set", f"web.address=127.0.0.1:{self.port}", *options)
        if settings is not None:
            self.file.write_text(settings, encoding="utf-8")

    def start(self) -> None:
        """Start it; returns once it serves the page."""
        process = self._process = self._program.start(*self._command)
        messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=_read, args=(process, messages), daemon=True)
        self._reader.start()
        seen = []
        while (line := messages.get(timeout=_STARTED_WITHIN_S)) is not None:
            seen.append(line)
            if found := _PAGE_AT.search(line):
                self.url = found[1]
                return
        raise AssertionError(f"the site ended before it served the page: {''.join(seen)}")

    def stop(self, *, kill: bool = False) -> None:
        """End it; with `kill`, at once and without a farewell to its clients."""
        process, self._process = self._process, None
        if process is None or self._reader is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(_ENDED_WITHIN_S)
        finally:
            process.kill()
            self._reader.join(_ENDED_WITHIN_S)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def add_user(self, name: str, password: str, role: str) -> None:
        """Add a user with the command line, also while the site runs."""
        options = ["--role", role, "--password-stdin", "--config", str(self.file)]
        command = [sys.executable, str(MAIN), "user", "add", name, *options]
        subprocess.run(command, input=f"{password}\n", cwd=self.folder, text=True, check=True, capture_output=True)

    def close(self) -> None:
        """End it, and give the port back."""
        self.stop()
        self._reserved.close()


def _read(process: subprocess.Popen[str], messages: queue.SimpleQueue[str | None]) -> None:
    """Read all messages, so that the program never waits for the pipe."""
    assert process.stderr is not None
    for line in process.stderr:
        messages.put(line)
    messages.put(None)
