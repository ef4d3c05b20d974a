"""Errors of servers are explained with a remedy, in one line and without the password."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from streamer.config.source import SourceSettings, Transport
from streamer.errors import ConfigError, SourceLost, SourceUnavailable
from streamer.network.refusals import refused
from streamer.sources.live.interrupt import interruptible
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera
from tests.faults.camera.settings import Scheme
from tests.faults.counter import read_number
from tests.pipeline.parts import DEADLINE_S
from tests.sources.network.answering import Answer, answering, refusing

SECRET = "swordfish"
ALWAYS = SourceSettings(stall_s=DEADLINE_S)


def connect(url: str, **options: object) -> None:
    NetworkConnector(url, SourceSettings(**options)).connect(lambda: True).close()  # type: ignore[arg-type]


def check_told(url: str, saying: str, **options: object) -> None:
    """The first connection fails with one line that has the expected text and no password."""
    with pytest.raises(SourceUnavailable, match=saying) as caught:
        LiveSource(NetworkConnector(url, SourceSettings(**options)), ALWAYS).__enter__()  # type: ignore[arg-type]
    assert SECRET not in f"{caught.value}"
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value), "a remedy is missing"


@pytest.mark.parametrize(
    ("method", "status", "words", "saying"),
    [
        ("DESCRIBE", 400, "Bad Request", "does not understand the request"),
        ("DESCRIBE", 403, "Forbidden", "this user may not watch"),
        ("DESCRIBE", 404, "Not Found", "nothing at this path"),
        ("DESCRIBE", 406, "Not Acceptable", "no supported format"),
        ("DESCRIBE", 451, "Parameter Not Understood", "does not know a parameter"),
        ("DESCRIBE", 453, "Not Enough Bandwidth", "no bandwidth for another viewer"),
        ("SETUP", 453, "Not Enough Bandwidth", "no bandwidth for another viewer"),
        ("PLAY", 454, "Session Not Found", "the session has expired"),
        ("PLAY", 455, "Method Not Valid in This State", "cannot play now"),
        ("SETUP", 461, "Unsupported Transport", "refuses this transport"),
        ("DESCRIBE", 500, "Internal Server Error", "the server failed"),
        ("DESCRIBE", 503, "Service Unavailable", "the server is busy"),
        ("DESCRIBE", 599, "Odd", "the server refuses"),
    ],
)
def test_refusals_of_rtsp(method: str, status: int, words: str, saying: str) -> None:
    with answering(refusing(method, status, words)) as port:
        check_told(f"rtsp://me:{SECRET}@127.0.0.1:{port}/live", f"{saying}.*{status}", open_timeout_s=2.0)


def test_temporary_errors_are_retried_soon_and_others_slowly() -> None:
    soon = {code for code in range(300, 600) if isinstance(refused("x", code), SourceLost)}
    assert {453, 454, 500, 503} <= soon
    assert not soon & {400, 401, 403, 404, 451, 461}


@pytest.mark.parametrize(
    ("banner", "answer", "saying"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", lambda _: None, "an SSH server listens at that port"),
        (b"", lambda _: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "a web server listens"),
        (b"", lambda request: b"HTTP/1.1 404 No\r\n\r\n" if request[:4] == b"HEAD" else None, "a web server listens"),
        (b"", lambda _: None, "closed the connection without an answer"),
        (b"", lambda _: b"\x15\x03\x01\x00\x02\x02\x46", "rtsps://"),
        (b"220 mail ESMTP\r\n", lambda _: b"500 what?\r\n", "something else listens"),
    ],
)
def test_another_server_at_an_rtsp_address(banner: bytes, answer: Answer, saying: str) -> None:
    with answering(answer, banner) as port:
        check_told(f"rtsp://me:{SECRET}@127.0.0.1:{port}/live", saying, open_timeout_s=2.0)


def test_an_rtsp_server_at_a_web_address(camera: Camera) -> None:
    check_told(f"http://me:{SECRET}@127.0.0.1:{camera.port}/live", "an RTSP server listens.*write rtsp://")


@pytest.mark.parametrize("scheme", ["rtsps", "https"])
@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"RTSP/1.0 400 Bad Request\r\n\r\n"])
def test_a_server_without_tls(scheme: str, said: bytes) -> None:
    with answering(lambda _: said) as port:
        check_told(f"{scheme}://me:{SECRET}@127.0.0.1:{port}/live", f"does not support TLS.*write {scheme[:-1]}://")


@pytest.mark.parametrize("scheme", ["rtsps", "https"])
def test_a_server_that_closes_tls_connections(scheme: str, camera: Camera) -> None:
    for answer in (lambda _: None, None):
        with answering(answer) if answer else nullcontext(camera.port) as port:
            check_told(f"{scheme}://me:{SECRET}@127.0.0.1:{port}/live", f"does not support TLS.*write {scheme[:-1]}://")


def test_a_web_page_is_refused() -> None:
    page = b"<!DOCTYPE html><html>log in</html>"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
    with answering(lambda _: head.encode() + page) as port:
        check_told(f"http://me:{SECRET}@127.0.0.1:{port}/", "a web page, no video; the camera's manual")


@pytest.fixture(scope="module")
def camera() -> Iterator[Camera]:
    with Camera(key_frame_on_play=True) as camera:
        yield camera


@pytest.mark.parametrize("scheme", ["basic", "digest", "sha256", "both"])
def test_logins_of_rtsp(scheme: Scheme) -> None:
    password = "p@ss:w/o#rd?%"
    with Camera(auth=(scheme, "admin", password), key_frame_on_play=True, fps=50) as camera:
        url = f"rtsp://admin:{password}@127.0.0.1:{camera.port}/live"  # as people type it
        with LiveSource(NetworkConnector(url), ALWAYS) as opened:
            numbers = [read_number(frame.picture) for frame in itertools.islice(opened, 20)]
        assert None not in numbers
        assert numbers == sorted(numbers)  # type: ignore[type-var]
        camera.wait_for("teardown")
        check_told(camera.url_with("admin", SECRET), "wrong user or password")


def test_an_unsupported_login_is_named() -> None:
    def answer(request: bytes) -> bytes:
        head = "CSeq: 1\r\nWWW-Authenticate: Negotiate\r\n" if request[:8] == b"DESCRIBE" else "CSeq: 1\r\n"
        return f"RTSP/1.0 {'401 Unauthorized' if 'WWW' in head else '200 OK'}\r\n{head}\r\n".encode()

    def counted(request: bytes) -> bytes:
        sequence = request.partition(b"CSeq: ")[2].partition(b"\r\n")[0]
        return answer(request).replace(b"CSeq: 1", b"CSeq: " + sequence)

    with answering(counted) as port:
        check_told(f"rtsp://me:{SECRET}@127.0.0.1:{port}/live", r"kind of login \(Negotiate\) is not supported")


@pytest.mark.parametrize(("asked", "only"), [("tcp", "udp"), ("udp", "tcp")])
def test_the_other_transport_is_tried(asked: Transport, only: str, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: bytes) -> bytes | None:
        is_tcp = b"RTP/AVP/TCP" in request
        return refusing("SETUP" if is_tcp == (only == "udp") else "-", 461, "Unsupported Transport")(request)

    def is_active() -> bool:
        return "trying" not in caplog.text

    with answering(answer) as port, interruptible(is_active), pytest.raises((SourceLost, SourceUnavailable)):
        NetworkConnector(f"rtsp://127.0.0.1:{port}/live", SourceSettings(transport=asked)).connect(is_active)
    assert f"does not send over {asked.upper()}; trying {only.upper()}" in caplog.text


@pytest.mark.parametrize(
    ("url", "saying"),
    [
        (f"rtsp://admin:pa/{SECRET}@", "has no host"),
        (f"rtsp://admin:{SECRET}@/live", "has no host"),
        (f"rtsp://admin:{SECRET}/live", "is no address"),
        (f"rtsp://admin:{SECRET}", "is no address"),
        (f"rtsp://admin:12/{SECRET}@nowhere.invalid/live", "unknown host name.*%2F"),
        (f"rtsp://admin:p@{SECRET}/x@nowhere.invalid/live", "unknown host name.*%2F"),
        ("rtsp:///live", "has no host"),
        ("https:///", "has no host"),
    ],
)
def test_an_address_whose_password_hides_the_host(url: str, saying: str) -> None:
    check_told_of(url, saying)


def check_told_of(url: str, saying: str) -> None:
    with pytest.raises(SourceUnavailable, match=saying) as caught:
        LiveSource(NetworkConnector(url), ALWAYS).__enter__()
    assert SECRET not in str(caught.value)


def test_an_unknown_ffmpeg_option_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no option 'reorder_queue'.*did you mean reorder_queue_size"):
        NetworkConnector("rtsp://camera/", SourceSettings(options={"reorder_queue": "5"}))
    NetworkConnector("rtsp://camera/", SourceSettings(options={"reorder_queue_size": "5"}))


def test_a_taken_port_is_reported() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        check_told(f"udp://127.0.0.1:{taken.getsockname()[1]}", "the port is taken by another program")


def test_missing_datagrams_are_reported() -> None:
    check_told("udp://127.0.0.1:1", r"no data in time|not permitted|Permission", open_timeout_s=0.3)
