"""A local web server for the files of a folder, with or without ranges, or with truncated answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Handler(SimpleHTTPRequestHandler):
    """Gives a file, or the part of it that is asked for."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, ranges: bool, sent: float, **options: Any) -> None:
        self._ranges = ranges
        self._sent = sent
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if self._ranges else None
        first = int(asked[1]) if asked else 0
        end = min(int(asked[2]) + 1, len(content)) if asked and asked[2] else len(content)
        if first >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes" if self._ranges else "none")
        self.send_header("Content-Length", str(end - first))
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            breaks = len(content) if path.suffix == ".m3u8" else round(len(content) * self._sent)
            self.wfile.write(content[first : min(end, breaks)])
        except ConnectionError:  # the client closed the connection
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client may close the connection."""


@contextmanager
def serving(folder: Path, *, ranges: bool = True, sent: float = 1.0) -> Iterator[str]:
    """The address of a server for the folder, without a slash at the end.

    Args:
        ranges: whether parts of files can be asked for.
        sent: the connection breaks after this fraction of a file; playlists come whole.
    """
    handler = partial(_Handler, directory=str(folder), ranges=ranges, sent=sent)
    with QuietServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
