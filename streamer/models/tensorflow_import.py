"""Imports TensorFlow on first use and without its start-up messages. Main thread.

The import takes seconds, so only the hub detector and `auto` use this module.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from streamer.errors import ModelError
from streamer.system import native_stderr
from streamer.system.memory import without_collector

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def tensorflow() -> Any:
    """The module `tensorflow`, imported now.

    Its messages are suppressed unless `TF_CPP_MIN_LOG_LEVEL` is set.

    Raises:
        ModelError: it is not installed, or does not start.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    chosen_by_user = _LOG_LEVEL in os.environ
    os.environ.setdefault(_LOG_LEVEL, "3")
    # The library writes some lines before it reads its log level.
    quiet = nullcontext() if chosen_by_user else native_stderr.held_back(_is_chatter)
    try:
        with quiet, _without_keras(), without_collector():
            import tensorflow as module
    except Exception as error:  # a wrong CPU or a broken install raises nearly anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(f"TensorFlow cannot be imported ({reason}); the detector starter works without it") from error
    if not chosen_by_user:
        module.get_logger().setLevel("ERROR")
    return module


@contextmanager
def _without_keras() -> Iterator[None]:
    """Keep TensorFlow from importing Keras.

    TensorFlow 2.21 imports Keras's optimizers at the end, for SavedModels of Keras. That takes a quarter of the import
    (1.2 of 5.0 s of CPU time, measured alternately) and a detector does not need it. TensorFlow accepts that the import
    fails, and imports Keras later if it is used.
    """
    name = "keras.src.optimizers"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # an import of this name fails
    try:
        yield
    finally:
        del sys.modules[name]


def tensorflow_hub() -> Any:
    """The module `tensorflow_hub`, imported now, and TensorFlow with it.

    Version 0.16.1 needs `pkg_resources` of setuptools < 81, whose import gives a deprecation warning.

    Raises:
        ModelError: one of them is not installed, or does not start.
    """
    if "tensorflow_hub" in sys.modules:
        return sys.modules["tensorflow_hub"]
    tensorflow()
    # It imports Keras, which writes the same lines as TensorFlow.
    quiet = nullcontext() if os.environ.get(_LOG_LEVEL) != "3" else native_stderr.held_back(_is_chatter)
    try:
        with quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tensorflow_hub as module
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(f"tensorflow-hub cannot be imported ({reason}); pip install . brings it") from error
    return module


def sees_gpu() -> bool:
    """Whether TensorFlow can use a GPU; imports TensorFlow."""
    return bool(tensorflow().config.list_physical_devices("GPU"))


def _is_chatter(line: bytes) -> bool:
    return line.startswith((b"I0000 ", b"W0000 ", b"E0000 ", b"WARNING: All log messages before absl")) or (
        line.startswith(b"To enable the following instructions")
    )
