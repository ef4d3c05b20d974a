"""A local server of module archives with faults, and a forward proxy."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar
from urllib.parse import urlsplit

MODULE_PATH = "/publisher/module/1"

Server = TypeVar("Server", bound=ThreadingHTTPServer)


@dataclass
class Request:
    """A request that arrived."""

    path: str
    authorization: str | None


@dataclass
class Script:
    """The faults of the server: `faults`, one a request, then always `fault`."""

    archive: bytes = b""
    fault: str = ""
    faults: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    half_sent: threading.Event = field(default_factory=threading.Event)


class ArchiveServer(ThreadingHTTPServer):
    """Serves one archive: at `MODULE_PATH` by a redirect as tfhub.dev does, and at every path that ends in .tar.gz."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = Script()

    @property
    def url(self) -> str:
        """Without a trailing slash."""
        return f"http://127.0.0.1:{self.server_port}"


class Proxy(ThreadingHTTPServer):
    """A forward proxy for http."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Of the proxy."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Serve in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        if isinstance(server, ArchiveServer):
            server.script.over.set()
            server.script.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ArchiveServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        script = self.server.script
        script.requests.append(Request(self.path, self.headers.get("Authorization")))
        fault = script.faults.pop(0) if script.faults else script.fault
        with suppress(BrokenPipeError, ConnectionResetError):
            if fault.isdecimal():
                self.send_error(int(fault))
            elif fault == "loop":
                self._redirect(self.path)
            elif fault == "page":
                self._whole(b"<!DOCTYPE html><html><title>Sign in</title></html>" + b" " * 600, "text/html")
            elif urlsplit(self.path).path == MODULE_PATH:
                self._module()
            elif urlsplit(self.path).path.endswith(".tar.gz"):
                self._archive(script, fault)
            else:
                self.send_error(404)

    def end_headers(self) -> None:
        self.send_header("Connection", "close")
        super().end_headers()

    def _module(self) -> None:
        # As tfhub.dev: the page of the module, unless the request is for the archive.
        if "tf-hub-format=compressed" in urlsplit(self.path).query:
            self._redirect("/storage/module.tar.gz?signature=s3cret")
        else:
            self._whole(b"<html>This module finds objects.</html>", "text/html")

    def _archive(self, script: Script, fault: str) -> None:
        content = script.archive
        if fault == "silent":
            script.over.wait()
            return
        self.send_response(200)
        if fault in ("chunked", "cut chunked"):
            self.send_header("Transfer-Encoding", "chunked")
        elif fault != "cut without length":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        for part in (content[:half], content[half:]):
            head, tail = (b"%x\r\n" % len(part), b"\r\n") if "chunked" in fault else (b"", b"")
            self.wfile.write(head + part + tail)
            self.wfile.flush()
            script.half_sent.set()
            if fault.startswith("cut"):
                return
            if fault == "stalls":
                script.over.wait()
                return
            if fault == "waits":
                script.go_on.wait()
        if fault == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def _redirect(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _whole(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Do not log."""


class _ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        wanted = urlsplit(self.path)
        # All host names lead to this machine.
        target = http.client.HTTPConnection("127.0.0.1", wanted.port or 80, timeout=10)
        target.request("GET", f"{wanted.path}?{wanted.query}")
        answer = target.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name in ("Location", "Content-Type"):
            if value := answer.getheader(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        target.close()

    def log_message(self, format: str, *args: object) -> None:
        """Do not log."""
