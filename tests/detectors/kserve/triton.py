"""A real Triton that serves ONNX files, for `test_triton`.

PyPI's `nvidia-pytriton` has the program `tritonserver`. It needs NumPy below 2, so an environment of its own:

    python3.11 -m venv /tmp/triton && /tmp/triton/bin/pip install nvidia-pytriton==0.7.0 onnxruntime 'numpy<2'
    STREAMER_TRITON=/tmp/triton/bin/python python -m pytest tests/detectors/kserve/test_triton.py

It has the Python backend of Triton only, so a model in Python runs ONNX Runtime.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnxruntime
import requests

VARIABLE = "STREAMER_TRITON"
_READY_WITHIN_S = 60
_TYPES = {"tensor(float)": "TYPE_FP32", "tensor(float16)": "TYPE_FP16", "tensor(uint8)": "TYPE_UINT8"}
_TYPES |= {"tensor(int64)": "TYPE_INT64", "tensor(int32)": "TYPE_INT32"}
_MODEL = """
import pathlib
import onnxruntime
import triton_python_backend_utils as pb

class TritonPythonModel:
    def initialize(self, args):
        file = pathlib.Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.inputs = [one.name for one in self.session.get_inputs()]
        self.outputs = [one.name for one in self.session.get_outputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        inputs = {name: pb.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
        found = self.session.run(self.outputs, inputs)
        return pb.InferenceResponse([pb.Tensor(name, one) for name, one in zip(self.outputs, found)])
"""


def write_repository(folder: Path, models: Mapping[str, Path]) -> Path:
    """Triton's folder of models."""
    for name, path in models.items():
        version = folder / name / "1"
        version.mkdir(parents=True)
        shutil.copy(path, version / "model.onnx")
        (version / "model.py").write_text(_MODEL)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        lines = ['backend: "python"', "max_batch_size: 0"]
        for kind, tensors in (("input", session.get_inputs()), ("output", session.get_outputs())):
            for one in tensors:
                shape = ", ".join(str(size if isinstance(size, int) else -1) for size in one.shape)
                lines.append(f'{kind} {{ name: "{one.name}" data_type: {_TYPES[one.type]} dims: [ {shape} ] }}')
        for key, value in session.get_modelmeta().custom_metadata_map.items():
            lines.append(f'parameters {{ key: "{key}" value {{ string_value: {json.dumps(value)} }} }}')
        (folder / name / "config.pbtxt").write_text("\n".join(lines) + "\n")
    return folder


@contextmanager
def running(python: Path, folder: Path, models: Mapping[str, Path]) -> Iterator[str]:
    """Triton on a free port; gives its address, `http://127.0.0.1:PORT/v2`.

    Args:
        python: of the environment that has `nvidia-pytriton`.
        folder: an empty one.
        models: by name.
    """
    found = subprocess.run(
        [str(python), "-c", "import pytriton, sys; print(pytriton.__path__[0], '%d.%d' % sys.version_info[:2])"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    package, version = Path(found[0]), found[1]
    server = folder / "server"
    shutil.copytree(package / "tritonserver", server)
    stub = server / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy(stub, server / "backends" / "python")
    repository = write_repository(folder / "models", models)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(package.parent),
        "LD_LIBRARY_PATH": str(package.parent / "nvidia_pytriton.libs"),
    }
    options = f"--http-address=127.0.0.1 --http-port={port} --allow-grpc=false --allow-metrics=false --log-info=false"
    command = [str(server / "bin" / "tritonserver"), f"--model-repository={repository}", *options.split()]
    process = subprocess.Popen([*command, f"--backend-directory={server / 'backends'}"], env=environment)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/v2/health/ready")
        yield f"http://127.0.0.1:{port}/v2"
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    for _ in range(_READY_WITHIN_S * 5):
        try:
            if requests.get(address, timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"Triton ended with code {process.returncode}")
    raise AssertionError("Triton is not ready")
