"""Headless Chromium, which plays a local video and reports the frames that it shows."""

from __future__ import annotations

import base64
import http.server
import io
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from tests.clips import read_number

ANSWER_WITHIN_S = 120.0
_PAGE = """<!doctype html><video id="v" muted></video><script>
const v = document.getElementById('v'), shown = [], c = document.createElement('canvas');
const tell = (what) => fetch('/told', {method: 'POST', body: JSON.stringify(what)});
v.onerror = () => tell({error: v.error.message || String(v.error.code)});
const look = (now, meta) => {
  c.width = v.videoWidth; c.height = v.videoHeight;
  c.getContext('2d').drawImage(v, 0, 0);
  shown.push({time: meta.mediaTime, picture: c.toDataURL('image/png')});
  if (shown.length < 5) v.requestVideoFrameCallback(look);
};
v.requestVideoFrameCallback(look);
v.onended = () => tell({duration: v.duration, end: v.currentTime, shown: shown});
v.src = '/video'; v.play();
</script>"""


@dataclass(frozen=True, slots=True)
class Played:
    """The result of playing a video.

    Attributes:
        error: what the browser said against it; empty if nothing.
        duration_s: that it told.
        end_s: where it was when it ended.
        shown: media time in seconds and number (`tests.clips.picture`) of some pictures.
    """

    error: str
    duration_s: float = 0.0
    end_s: float = 0.0
    shown: tuple[tuple[float, int], ...] = ()


def played(video: Path, profile: Path) -> Played:
    """Play a video to its end.

    Args:
        video: to play.
        profile: a folder for what the browser writes.
    """
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    with _serving(video, told) as port:
        command = [
            shutil.which("chromium") or "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={profile}",
            f"http://127.0.0.1:{port}/",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            try:
                answer = told.get(timeout=ANSWER_WITHIN_S)
            finally:
                browser.terminate()
    if "error" in answer:
        return Played(answer["error"])
    shown = tuple((float(one["time"]), _number(one["picture"])) for one in answer["shown"])
    return Played("", float(answer["duration"]), float(answer["end"]), shown)


def _number(url: str) -> int:
    container: Any
    with av.open(io.BytesIO(base64.b64decode(url.partition(",")[2])), format="png_pipe") as container:
        return read_number(next(container.decode(video=0)))


@contextmanager
def _serving(video: Path, told: queue.Queue[dict[str, Any]]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = video.read_bytes() if self.path == "/video" else _PAGE.encode()
            kind = {".webm": "video/webm", ".mkv": "video/x-matroska"}.get(video.suffix, "video/mp4")
            self.send_response(200)
            self.send_header("Content-Type", kind if self.path == "/video" else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
