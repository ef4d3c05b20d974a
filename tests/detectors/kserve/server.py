"""A server of the Open Inference Protocol over HTTP with the binary tensor data extension, for ONNX files.

It is written after the documents of the protocol and compared with Triton 2.51 (`test_triton`). In a test it runs on a
thread; a test that kills it runs it as a program: `python -m tests.detectors.kserve.server PORT NAME=FILE ...`.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnxruntime
import trustme
from aiohttp import web

from tests.detectors.onnx.graphs import Array

DTYPES = {"FP32": "float32", "FP16": "float16", "UINT8": "uint8", "INT64": "int64", "INT32": "int32"}
DATATYPES = {
    "tensor(float)": "FP32",
    "tensor(float16)": "FP16",
    "tensor(uint8)": "UINT8",
    "tensor(int64)": "INT64",
    "tensor(int32)": "INT32",
}
LENGTH = "Inference-Header-Content-Length"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OnnxModel:
    """One model of a server: a file that ONNX Runtime runs on one thread."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.parameters: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map

    def metadata(self, name: str) -> dict[str, Any]:
        """The answer to GET /v2/models/NAME."""
        tensors = {"inputs": self._session.get_inputs(), "outputs": self._session.get_outputs()}
        return {"name": name, "versions": ["1"], "platform": "onnxruntime_onnx"} | {
            kind: [
                {
                    "name": one.name,
                    "datatype": DATATYPES[one.type],
                    "shape": [size if isinstance(size, int) else -1 for size in one.shape],
                }
                for one in found
            ]
            for kind, found in tensors.items()
        }

    def infer(self, inputs: Mapping[str, Array], outputs: list[str]) -> list[Array]:
        """The named outputs."""
        found: list[Array] = self._session.run(outputs, dict(inputs))
        return found


class ModelServer:
    """Serves models on a free port of 127.0.0.1 while it is entered.

    Args:
        models: by name.
        port: 0 for a free one.
        certificate: of TLS; None for plain HTTP.

    Attributes:
        port: where it listens.
        token: that requests must have; "" for none.
        is_ready: of all models.
        instead: replaces the answers to requests whose path ends in a key.
        requests: paths of all requests so far.
    """

    def __init__(
        self, models: Mapping[str, Path], port: int = 0, *, certificate: trustme.LeafCert | None = None
    ) -> None:
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._tls)
        self._models = {name: OnnxModel(path) for name, path in models.items()}
        self.port = port
        self.token = ""
        self.is_ready = True
        self.instead: dict[str, Handler] = {}
        self.requests: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._ended: asyncio.Event
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(20)
        self._loop.close()

    def url(self, model: str, *, login: str = "") -> str:
        """The name of the detector."""
        scheme = "http" if self._tls is None else "https"
        return f"kserve+{scheme}://{login}127.0.0.1:{self.port}/v2/models/{model}"

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        app = web.Application(client_max_size=2**28)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1, read_bufsize=2**23)  # else it pauses every 128 KB
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self._tls)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._ended.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "unauthorized"}, status=401)
        for end, handler in list(self.instead.items()):
            if request.path.endswith(end):
                return await handler(request)
        parts = request.path.strip("/").split("/")
        if parts == ["v2"]:
            return web.json_response({"name": "test", "version": "1", "extensions": ["binary_tensor_data"]})
        if parts == ["v2", "repository", "index"]:
            return web.json_response([{"name": name, "version": "1", "state": "READY"} for name in self._models])
        name, rest = parts[2], parts[5:] if parts[3:4] == ["versions"] else parts[3:]
        if name not in self._models or (parts[3:4] == ["versions"] and parts[4] != "1"):
            return web.json_response({"error": f"Request for unknown model: '{name}' is not found"}, status=404)
        model = self._models[name]
        match rest:
            case []:
                return web.json_response(model.metadata(name))
            case ["config"]:
                parameters = {key: {"string_value": value} for key, value in model.parameters.items()}
                return web.json_response({"name": name, "parameters": parameters})
            case ["ready"]:
                return web.Response(status=200 if self.is_ready else 503)
            case ["infer"] if self.is_ready:
                return await self.infer(request, model)
        return web.json_response({"error": "Model is not ready"}, status=400)

    async def infer(self, request: web.Request, model: OnnxModel | None = None) -> web.Response:
        """The answer to an inference."""
        model = model or next(iter(self._models.values()))
        body = await request.read()
        length = int(request.headers[LENGTH])
        asked = json.loads(body[:length])
        inputs, at = dict[str, Array](), length
        for one in asked["inputs"]:
            size, shape = one["parameters"]["binary_data_size"], one["shape"]
            kind = np.dtype(DTYPES[one["datatype"]])
            assert size == kind.itemsize * math.prod(shape)
            inputs[one["name"]] = np.frombuffer(body, kind, math.prod(shape), at).reshape(shape)
            at += size
        names = [one["name"] for one in asked["outputs"]]
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, model.infer, inputs, names)
        except Exception as error:
            return web.json_response({"error": str(error)}, status=400)
        return binary(dict(zip(names, found, strict=True)))


def binary(outputs: Mapping[str, Array]) -> web.Response:
    """An answer with these outputs as binary tensor data."""
    datatypes = {dtype: name for name, dtype in DTYPES.items()}
    told = [
        {
            "name": name,
            "datatype": datatypes[one.dtype.name],
            "shape": list(one.shape),
            "parameters": {"binary_data_size": one.nbytes},
        }
        for name, one in outputs.items()
    ]
    head = json.dumps({"model_name": "m", "model_version": "1", "outputs": told}).encode()
    body = b"".join([head, *(one.tobytes() for one in outputs.values())])
    return web.Response(body=body, headers={LENGTH: str(len(head)), "Content-Type": "application/octet-stream"})


def main() -> None:
    port, *models = sys.argv[1:]
    with ModelServer({name: Path(path) for name, _, path in (one.partition("=") for one in models)}, int(port)) as one:
        print(one.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
