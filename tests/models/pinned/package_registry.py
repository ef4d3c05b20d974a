"""A local package registry with one tiny package and faults."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from streamer.models.pinned import npm

CONTENT = bytes(range(256)) * 40


def tgz(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


PACKAGE = tgz({"README.md": b"hello", "weights.data": CONTENT})


def item(package: bytes = PACKAGE, content: bytes = CONTENT, name: str = "weights.data") -> npm.PackedFile:
    return npm.PackedFile(
        package="@scope/model",
        version="1.2.3",
        package_sha256=hashlib.sha256(package).hexdigest(),
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


class Registry(ThreadingHTTPServer):
    """A package registry on a free port, with faults."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.package = PACKAGE
        self.fault = ""
        self.requests: list[tuple[str, str | None]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        registry = self.server
        registry.requests.append((self.path, self.headers.get("Authorization")))
        if registry.fault == "silent":
            registry.over.wait()
            return
        if registry.fault == "404" or self.path != "/@scope/model/-/model-1.2.3.tgz":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(registry.package)))
        self.end_headers()
        with suppress(BrokenPipeError):
            if registry.fault:
                self.wfile.write(registry.package[: len(registry.package) // 2])
                self.wfile.flush()
                if registry.fault == "stalls":
                    registry.over.wait()
                return
            self.wfile.write(registry.package)

    def log_message(self, format: str, *args: object) -> None:
        """Do not log."""
