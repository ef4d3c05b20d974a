"""What does not fit is refused before the run, in one line with the remedy and without a login."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from streamer.config.detector import DetectorSettings
from streamer.detectors.kserve import connection, metadata
from streamer.detectors.selection import build_detector
from streamer.errors import ConfigError, ModelError, StreamerError
from streamer.features import DetectorContext
from streamer.system.secrets import SECRETS
from tests.detectors.kserve.server import ModelServer, binary
from tests.detectors.onnx.graphs import Array
from tests.detectors.onnx.test_families import write_yolov8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ModelServer]:
    with ModelServer({"yolov8": write_yolov8(tmp_path / "model.onnx")}) as running:
        yield running


def refusal(name: str, **settings: object) -> str:
    """The message of the error at the start."""
    with pytest.raises(StreamerError) as caught:
        build_detector(DetectorSettings.model_validate({"name": name, **settings}), DetectorContext())
    assert isinstance(caught.value, ConfigError | ModelError)
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert "\n" not in message
    return message


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    "name",
    [
        "kserve+http://127.0.0.1:8000",
        "kserve+http://127.0.0.1:8000/v1/models/yolov8",
        "kserve+http://127.0.0.1:8000/v2/models/",
        "kserve+http://127.0.0.1:8000/v2/models/yolov8/infer",
        "kserve+http://127.0.0.1:port/v2/models/yolov8",
        "kserve+http:///v2/models/yolov8",
        "kserve+grpc://127.0.0.1:8001/v2/models/yolov8",
    ],
)
def test_another_address(name: str) -> None:
    assert "give kserve+http://HOST:8000/v2/models/NAME" in refusal(name)


def test_no_server() -> None:
    message = refusal(f"kserve+http://127.0.0.1:{free_port()}/v2/models/m")
    assert message.endswith("does not answer: connection refused; check the address, and that the server runs")


def test_no_such_model(server: ModelServer) -> None:
    message = refusal(server.url("yolov9"))
    assert message.endswith("has no model yolov9 that is ready: it has yolov8; did you mean yolov8?")
    assert refusal(f"{server.url('yolov8')}/versions/7").endswith("has no version 7 of the model yolov8")


def test_a_model_that_is_not_ready(server: ModelServer) -> None:
    server.is_ready = False
    assert "the model is not ready" in refusal(server.url("yolov8"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login(server: ModelServer, status: int, tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    server.instead["/yolov8"] = refuse
    token = tmp_path / "token"
    token.write_text("tok-3n-of-mine\n")
    message = refusal(server.url("yolov8"), remote={"token_file": str(token)})
    assert f"refuses the login ({status}): see detector.remote.token_file" in message
    assert "tok-3n" not in message


def test_a_password_is_in_no_message(server: ModelServer) -> None:
    async def repeat(request: web.Request) -> web.Response:
        return web.json_response({"error": f"no access with {request.headers['Authorization']}"}, status=500)

    server.instead["/yolov8"] = repeat
    message = SECRETS.hide(refusal(server.url("yolov8", login="me:s3cr3t-of-mine@")))
    assert "s3cr3t" not in message
    assert "Basic ***" in message


def test_a_login_and_a_token_together(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_DETECTOR_TOKEN", "tok-4n-of-mine")
    assert "a login or a token, not both" in refusal(server.url("yolov8", login="me:s3cr3t-of-mine@"))


def test_a_token_file_that_is_missing(server: ModelServer) -> None:
    message = refusal(server.url("yolov8"), remote={"token_file": "/no/such/token"})
    assert message == "detector.remote.token_file: cannot read /no/such/token: No such file or directory"


def test_a_redirect_is_not_followed(server: ModelServer) -> None:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://other.example/v2/models/yolov8?token=abcdefgh"})

    server.instead["/yolov8"] = redirect
    message = refusal(server.url("yolov8"))
    assert message.endswith(
        "redirects to http://other.example/v2/models/yolov8; requests are not redirected: give that address"
    )


def test_an_error_of_the_server_is_repeated(server: ModelServer) -> None:
    async def fail(_: web.Request) -> web.Response:
        return web.json_response({"error": "CUDA out of memory\nat line 7"}, status=500)

    server.instead["/infer"] = fail
    assert refusal(server.url("yolov8")).endswith("answers 500: CUDA out of memory at line 7")


def test_a_page_instead_of_a_model(server: ModelServer) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>It works!</html>", content_type="text/html")

    server.instead["/yolov8"] = page
    assert refusal(server.url("yolov8")).endswith("does not describe a model (Open Inference Protocol, KServe v2)")


def test_json_that_is_nested_without_end(server: ModelServer) -> None:
    async def nest(_: web.Request) -> web.Response:
        return web.Response(text="[" * 200_000, content_type="application/json")

    server.instead["/yolov8"] = nest
    assert "does not describe a model" in refusal(server.url("yolov8"))


def test_an_answer_in_json(server: ModelServer) -> None:
    async def answer(_: web.Request) -> web.Response:
        output = {"name": "output0", "datatype": "FP32", "shape": [1], "data": [0.5]}
        return web.json_response({"model_name": "yolov8", "outputs": [output]})

    server.instead["/infer"] = answer
    assert "it needs the binary tensor data extension" in refusal(server.url("yolov8"))


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"output0": np.zeros((6, 126), np.float32)}, "the model gave (6, 126); yolov8 has one output (1, 4+C, N)"),
        ({"other": np.zeros((1, 6, 126), np.float32)}, "lacks the output output0"),
        ({"output0": np.full((1, 6, 126), np.nan, np.float32)}, "not finite (NaN)"),
    ],
)
def test_outputs_of_another_shape(server: ModelServer, outputs: dict[str, Array], reason: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return binary(outputs)

    server.instead["/infer"] = answer
    assert reason in refusal(server.url("yolov8"))


@pytest.mark.parametrize("size", [3024, 2**40, -4])
def test_an_answer_that_says_another_length(server: ModelServer, size: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        output = {"name": "output0", "datatype": "FP32", "shape": [1, 6, 126], "parameters": {"binary_data_size": size}}
        head = json.dumps({"outputs": [output]}).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        return web.Response(body=head + bytes(1000), headers=headers)

    server.instead["/infer"] = answer
    assert f"output0 has {size} bytes" in refusal(server.url("yolov8"))


@pytest.mark.parametrize(
    ("datatype", "shape", "size"),
    [("BYTES", "[1000000000000]", "0"), ("BYTES", "[1e400]", "0"), ("FP32", "[1e400]", "8"), ("FP32", "[1]", "1e400")],
)
def test_an_answer_with_numbers_beyond_all_memory(server: ModelServer, datatype: str, shape: str, size: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        output = f'"name": "output0", "datatype": "{datatype}", "shape": {shape}'
        head = f'{{"outputs": [{{{output}, "parameters": {{"binary_data_size": {size}}}}}]}}'.encode()
        return web.Response(body=head + bytes(8), headers={"Inference-Header-Content-Length": str(len(head))})

    server.instead["/infer"] = answer
    assert "the server's answer is no binary tensor data" in refusal(server.url("yolov8"))


def test_a_model_with_an_endless_axis(server: ModelServer) -> None:
    async def describe(_: web.Request) -> web.Response:
        tensor = '[{"name": "a", "datatype": "FP32", "shape": [1e400]}]'
        return web.Response(text=f'{{"name": "yolov8", "inputs": {tensor}, "outputs": {tensor}}}')

    server.instead["/yolov8"] = describe
    assert "does not describe a model" in refusal(server.url("yolov8"))


def test_a_server_that_sends_a_byte_now_and_then(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "LIMIT_S", 0.5)
    ended = threading.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        while not ended.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    server.instead["/yolov8"] = drip
    try:
        assert "gave no answer within 0.5 s" in refusal(server.url("yolov8"))
    finally:
        ended.set()


def test_half_an_answer(server: ModelServer) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(bytes(500))
        assert request.transport is not None
        request.transport.close()
        return response

    server.instead["/yolov8"] = half
    assert "it closed the connection in the middle of its answer" in refusal(server.url("yolov8"))


@pytest.mark.parametrize("is_told", [True, False])
def test_a_huge_answer_is_not_read(server: ModelServer, is_told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_ANSWER", 2**20)

    async def huge(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(2**30)} if is_told else {})
        await response.prepare(request)
        for _ in range(2**10):
            await response.write(bytes(2**20))
        return response

    server.instead["/yolov8"] = huge
    assert "gave an answer of more than 1 MiB" in refusal(server.url("yolov8"))


def test_a_server_that_speaks_another_protocol() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as connected:
                connected.recv(1000)
                connected.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        message = refusal(f"kserve+http://127.0.0.1:{listening.getsockname()[1]}/v2/models/m")
        thread.join(20)
    assert "it does not speak HTTP" in message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_missing_or_refuses(server: ModelServer, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the proxy, not the server, and has no login of either."""
    name = server.url("yolov8").replace("+http:", f"+{scheme}:")
    monkeypatch.setenv("no_proxy", "")
    for proxy, reason in (
        (f"127.0.0.1:{free_port()}", "through the proxy of HTTP_PROXY or HTTPS_PROXY: connection refused"),
        (f"127.0.0.1:{refusing_proxy()}", "407"),
    ):
        monkeypatch.setenv(f"{scheme}_proxy", f"http://me:of-the-proxy@{proxy}")
        message = refusal(name)
        assert reason in message
        assert "of-the-proxy" not in message


def refusing_proxy() -> int:
    """The port of a proxy that answers one request, and wants another login."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with listening, listening.accept()[0] as connected:
            connected.recv(10_000)
            connected.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    return int(listening.getsockname()[1])


def test_a_server_without_tls(server: ModelServer) -> None:
    assert "no TLS connection" in refusal(server.url("yolov8").replace("+http:", "+https:"))


def test_a_checksum_is_for_files(server: ModelServer) -> None:
    assert "detector.sha256 is for hub modules" in refusal(server.url("yolov8"), sha256="0" * 64)
