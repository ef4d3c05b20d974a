"""Loads a SavedModel into a TF1 session and runs it on one frame at a time.

The post-processing of the Object Detection API is removed from the graph and computed in NumPy (`loading`,
`suppression`). TensorFlow's meta optimizer is off: it copies a large graph with its weights several times before the
first frame; convolutions are fused without it (`convolutions`). The frame is copied to the device as bytes and
converted to floats there. Built by the main thread, then used by one detector thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub import loading
from streamer.detectors.tfhub.devices import Device
from streamer.detectors.tfhub.loading import Parts
from streamer.detectors.tfhub.signatures import Form
from streamer.errors import ModelError
from streamer.models.tensorflow_import import tensorflow
from streamer.system.memory import keeping_freed_memory, without_collector

FLOAT32, TENSORFLOAT32, BFLOAT16, MIXED_FLOAT16 = "float32", "tensorfloat32", "bfloat16", "mixed_float16"

Array = npt.NDArray[Any]


class SessionRunner:
    """A loaded model.

    Args:
        directory: the SavedModel.
        form: of its signature.
        device: where it runs.
        settings: `precision`, `gpu_memory_mb`, and `optimize_graph`, with which convolutions are fused with the
            operations after them, and on a GPU TensorFlow chooses their layout. None fuses them where that takes no
            time: on a CPU in float32, in a graph whose post-processing is known.

    Raises:
        ModelError: it cannot be loaded.
    """

    def __init__(self, directory: Path, form: Form, device: Device, settings: DetectorSettings) -> None:
        tf = tensorflow()
        v1 = tf.compat.v1
        # TensorFlow's default rounds float32 to 10 bits of mantissa on newer GPUs; here that is a separate precision.
        tf.config.experimental.enable_tensor_float_32_execution(settings.precision == TENSORFLOAT32)
        with keeping_freed_memory(), without_collector():
            parts = loading.read_parts(directory, form)
            is_fused = _is_fused(parts, device, settings)
            config = _config(v1, device, settings)
            _choose_rewrites(config, device, settings, is_fused=is_fused)
            graph = tf.Graph()
            self._session = v1.Session(graph=graph, config=config)
            try:
                with graph.as_default():
                    self._import(directory, form, parts, is_fused=is_fused)
                graph.finalize()  # an added node raises from here on, so that memory does not grow with the frames
                self._make_callables(form, parts)
            except Exception as error:  # the type depends on the damage of the graph or checkpoint
                self._session.close()
                raise ModelError(f"{directory} cannot be loaded: {first_line(error)}") from error

    def _import(self, directory: Path, form: Form, parts: Parts | None, *, is_fused: bool) -> None:
        """Load the graph and its weights into the session and its graph, which is the current one."""
        tf = tensorflow()
        v1 = tf.compat.v1
        self._frame = v1.placeholder(tf.uint8, (None, None, 3), name="streamer_frame")
        input_map = {form.input.name: _feed(tf, self._frame, form)}
        if parts is None:
            v1.saved_model.load(self._session, list(form.signature.tags), str(directory), input_map=input_map)
        else:
            if is_fused:
                loading.fuse(parts, form)
            loading.prune(parts, form)
            loading.load_parts(self._session, parts, directory, input_map)
        self._session.run(v1.tables_initializer())

    def _make_callables(self, form: Form, parts: Parts | None) -> None:
        outputs = [form.signature.outputs[key].name for key in form.outputs]
        self._postprocess = None if parts is None else loading.Postprocessing(self._session, parts.scope, outputs)
        self._fetches = outputs if parts is None else list(parts.scope.inputs.values())
        self._call = self._prepared(self._frame.name, self._fetches)

    def _prepared(self, fed: str, fetched: list[str]) -> Callable[[Array], list[Array]]:
        """A call of the session, which copies the weights to their operations now.

        The public `make_callable` does that in the first call, when memory that was freed is not at hand any more.
        """
        from tensorflow.core.protobuf import config_pb2

        options = config_pb2.CallableOptions(feed=[fed], fetch=fetched)
        call: Callable[[Array], list[Array]] = self._session._make_callable_from_options(options)
        return call

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> list[Array]:
        """The outputs in the order of the form, for a frame uint8 `(H, W, 3)`. Errors are TensorFlow's."""
        fetched = self._call(rgb)
        return fetched if self._postprocess is None else self._postprocess(*fetched)

    def placement(self, rgb: npt.NDArray[np.uint8]) -> Counter[str]:
        """How many operations ran on which device (`CPU:0`, `GPU:0`) for this frame, by one more run."""
        v1 = tensorflow().compat.v1
        metadata = v1.RunMetadata()
        options = v1.RunOptions(output_partition_graphs=True)
        self._session.run(self._fetches, {self._frame: rgb}, options=options, run_metadata=metadata)
        nodes = (node for graph in metadata.partition_graphs for node in graph.node)
        return Counter(node.device.rpartition("/device:")[2] or "unknown" for node in nodes if node.op != "Const")

    def close(self) -> None:
        """Release the model."""
        self._session.close()


def _config(v1: Any, device: Device, settings: DetectorSettings) -> Any:
    config = v1.ConfigProto(allow_soft_placement=True)
    if device.gpu is None:
        config.device_count["GPU"] = 0
        return config
    config.gpu_options.visible_device_list = str(device.gpu)
    config.gpu_options.allow_growth = settings.gpu_memory_mb is None
    if settings.gpu_memory_mb is not None:
        config.gpu_options.experimental.virtual_devices.add(memory_limit_mb=[settings.gpu_memory_mb])
    return config


def _is_fused(parts: Parts | None, device: Device, settings: DetectorSettings) -> bool:
    """Whether this program fuses the convolutions, instead of TensorFlow's optimizer."""
    is_wanted = settings.optimize_graph is not False
    return parts is not None and device.gpu is None and is_wanted and not _is_reduced(settings)


def _is_reduced(settings: DetectorSettings) -> bool:
    return settings.precision in (BFLOAT16, MIXED_FLOAT16)


def _choose_rewrites(config: Any, device: Device, settings: DetectorSettings, *, is_fused: bool) -> None:
    from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

    rewrites, on = config.graph_options.rewrite_options, rewriter_config_pb2.RewriterConfig.ON
    is_reduced = _is_reduced(settings)
    if not is_reduced:
        # Folding constants changes no result and takes 2 of the 7 s by which the first frame is slower.
        config.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
    if is_fused or not (is_reduced or settings.optimize_graph):
        rewrites.disable_meta_optimizer = True
        return
    _switch_off(rewrites, rewriter_config_pb2.RewriterConfig)
    if settings.optimize_graph:
        rewrites.remapping = on
        if device.gpu is not None:
            rewrites.layout_optimizer = on
    if settings.precision == BFLOAT16:
        rewrites.auto_mixed_precision_onednn_bfloat16 = on
    elif settings.precision == MIXED_FLOAT16:
        rewrites.auto_mixed_precision = on


def _switch_off(rewrites: Any, kinds: Any) -> None:
    """Switch off all rewrites of the meta optimizer; some are switched on afterwards."""
    for name in (
        "layout_optimizer",
        "constant_folding",
        "shape_optimization",
        "remapping",
        "common_subgraph_elimination",
        "arithmetic_optimization",
        "dependency_optimization",
        "loop_optimization",
        "function_optimization",
        "debug_stripper",
        "scoped_allocator_optimization",
        "pin_to_host_optimization",
        "implementation_selector",
    ):
        setattr(rewrites, name, kinds.OFF)
    rewrites.memory_optimization = kinds.NO_MEM_OPT
    rewrites.meta_optimizer_iterations = kinds.ONE
    rewrites.min_graph_nodes = -1  # small graphs too


def _feed(tf: Any, frame: Any, form: Form) -> Any:
    """The input of the model `(1, H, W, 3)` from a frame uint8 `(H, W, 3)`."""
    batch = tf.expand_dims(frame, 0)
    if form.input.dtype == "uint8":
        return batch
    floats = tf.cast(batch, tf.float32)
    return floats / np.float32(255) if form.white == 1 else floats


# TensorFlow's lines before the reason; they describe where the node was made.
_BEFORE_THE_REASON = ("Graph execution error", "Detected at ", "File ", "Node: ", "[[")


def first_line(error: Exception) -> str:
    """The first line of an error that gives a reason; its type if it has no text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reasons = (line for line in lines if not line.startswith(_BEFORE_THE_REASON))
    return next(reasons, lines[0] if lines else type(error).__name__)
