"""`streamer serve` without a file: the site of this user, whose first camera makes its file."""

from __future__ import annotations

import json
import signal
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from streamer.cli.serve.command import default_events, default_file
from tests.api.served import Client
from tests.cli.program import DEADLINE_S, Program
from tests.clips import write_video

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def own_site(program: Program) -> Iterator[Client]:
    """The site with its page, until SIGTERM ends it."""
    client = Client(("127.0.0.1", free_port()))
    address = f"web.address=127.0.0.1:{client.address[1]}"
    with program.start("serve", "--set", address, "--set", "detector.name=det.txt") as process:
        try:
            until_s = time.monotonic() + DEADLINE_S
            while time.monotonic() < until_s and process.poll() is None:
                with suppress(OSError):
                    client.get("/cameras")
                    break
                time.sleep(0.1)
            yield client
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGTERM)
            errors = process.communicate(timeout=DEADLINE_S)[1]
    assert process.returncode == 143, errors
    assert "Traceback" not in errors


def test_the_first_camera_makes_the_file_of_the_user(program: Program) -> None:
    (program.folder / "det.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n")
    clip = write_video(program.folder / "clip.mp4", frames=5)
    file = default_file()
    assert (
        program("check").output
        == f"no {file} yet: 'streamer serve' starts without cameras, and its page makes the file\n"
    )
    with own_site(program) as client:
        listed = client("GET", "/cameras")
        assert listed.json["cameras"] == []
        assert json.loads(client("GET", "/healthz", base="").content)["status"] == "ok"
        revision = f'"{listed.json["revision"]}"'
        camera = {"name": "clip", "settings": {"source": {"uri": str(clip)}}}
        assert client.send("POST", "/cameras", camera, If_Match=revision).status == 201
        while client.get("/cameras/clip")["state"] != "ended":
            time.sleep(0.1)
        log = [(line["camera"], line["text"]) for line in client.get("/log")["lines"]]
        assert ("", f"events in {default_events()}") in log
        assert ("clip", "ended, 5 frames shown") in log
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    assert file.read_text().endswith(f"store:\n  folder: {default_events()}\ncameras:\n  clip: {clip}\n")
    assert program("check").output.splitlines()[-1] == f"{file}: valid settings of 1 camera"
    with own_site(program) as client:
        assert [one["name"] for one in client.get("/cameras")["cameras"]] == ["clip"]
