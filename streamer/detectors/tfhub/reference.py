"""The reference: a module loaded and called as its page on TensorFlow Hub shows it.

It starts slowly and takes much memory. `SessionRunner` is compared with it in tests, in `benchmarks/detector.py` and by
users (`detector.reference`). Built by the main thread, then used by one detector thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.detectors.tfhub.devices import Device
from streamer.detectors.tfhub.session import first_line
from streamer.detectors.tfhub.signatures import Form
from streamer.errors import ModelError
from streamer.models.tensorflow_import import tensorflow, tensorflow_hub


class ReferenceRunner:
    """`hub.load(directory).signatures[...]`, called with the frame as float32.

    Args:
        directory: the SavedModel.
        form: of its signature.
        device: where it runs.

    Raises:
        ModelError: it cannot be loaded.
    """

    def __init__(self, directory: Path, form: Form, device: Device) -> None:
        self._tf = tensorflow()
        self._form = form
        self._device = "/CPU:0" if device.gpu is None else f"/GPU:{device.gpu}"
        self._tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            with self._tf.device(self._device):
                self._module = tensorflow_hub().load(str(directory))
            self._call = self._module.signatures[form.signature.name]
        except Exception as error:  # the type depends on the damage of the graph or checkpoint
            raise ModelError(f"{directory} cannot be loaded: {first_line(error)}") from error

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
        """The outputs in the order of the form, for a frame uint8 `(H, W, 3)`. Errors are TensorFlow's."""
        tf = self._tf
        with tf.device(self._device):
            frame = tf.constant(rgb)
            if self._form.input.dtype == "float32":
                whole = tf.image.convert_image_dtype(frame, tf.float32)
                frame = whole if self._form.white == 1 else tf.cast(frame, tf.float32)
            outputs = self._call(frame[tf.newaxis])
        return [outputs[key].numpy() for key in self._form.outputs]

    def close(self) -> None:
        """Release the model."""
        del self._call, self._module
