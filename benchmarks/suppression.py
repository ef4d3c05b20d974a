"""The post-processing of the detector of record: its own operations against what replaces them, on one core.

    python -m benchmarks.suppression [--calls N]

100 boxes and 601 classes, as they enter the post-processing: scores as of a picture with 12 objects, as of random
weights, and all equal. TensorFlow's CombinedNonMaxSuppression, one operation for all classes, is measured too; it does
not break ties as the graph does, and leaves out no box that is outside the picture. Building the graph takes a minute.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.clips import machine
from streamer.detectors.tfhub.suppression import Parameters, Suppression
from streamer.models.tensorflow_import import tensorflow
from tests.detectors.tfhub import api_scope
from tests.detectors.tfhub.api_scope import Limits
from tests.detectors.tfhub.test_suppression import PIXELS, scene

LIMITS = Limits(classes=601, total=100)
COUNT = np.array([100], np.int32)


def realistic() -> list[Any]:
    """What enters the post-processing for a picture with 12 objects: boxes, scores, count and window."""
    boxes, scores = scene(0, 100, LIMITS.classes)
    return [boxes[np.newaxis], scores[np.newaxis], COUNT, PIXELS]


def cases() -> dict[str, list[Any]]:
    """Inputs by name."""
    boxes, scores, count, window = realistic()
    of_random_weights = (1 + np.random.default_rng(0).normal(0, 0.03, scores.shape).astype(np.float32)) / 602
    return {
        "12 objects": [boxes, scores, count, window],
        "random weights": [boxes, of_random_weights, count, window],
        "all scores equal": [boxes, np.full_like(scores, 0.5), count, window],
    }


def on_one_core_ms(call: Callable[[], Any], calls: int) -> float:
    """The median time of a call in this thread and its children on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    call()
    took_s = []
    for _ in range(calls):
        began_s = time.perf_counter()
        call()
        took_s.append(time.perf_counter() - began_s)
    return statistics.median(took_s) * 1e3


def combined() -> Callable[..., list[Any]]:
    """TensorFlow's operation for all classes at once, as a function of the same inputs."""
    tf = tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        boxes = v1.placeholder(tf.float32, (1, None, LIMITS.classes, 4))
        scores = v1.placeholder(tf.float32, (1, None, LIMITS.classes))
        found = tf.image.combined_non_max_suppression(
            boxes,
            scores,
            LIMITS.per_class,
            LIMITS.total,
            LIMITS.iou_threshold,
            LIMITS.score_threshold,
            clip_boxes=False,
        )
        call = v1.Session(graph=graph).make_callable(list(found), feed_list=[boxes, scores])
    return lambda *entering: call(*entering[:2])


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    calls = parser.parse_args().calls
    print(machine())
    on_one_core_ms(tensorflow, 1)  # before TensorFlow starts its threads
    limits = (LIMITS.classes, LIMITS.iou_threshold, LIMITS.score_threshold, LIMITS.per_class, LIMITS.total)
    sides: dict[str, Callable[..., list[Any]]] = {
        "the operations of the graph": api_scope.alone(LIMITS),
        "CombinedNonMaxSuppression": combined(),
        "Suppression": Suppression(Parameters(*limits)),
    }
    for name, entering in cases().items():
        expected = sides["the operations of the graph"](*entering)
        for side, call in sides.items():
            took_ms = on_one_core_ms(partial(call, *entering), calls)
            same = all(np.array_equal(one, other) for one, other in zip(call(*entering), expected, strict=True))
            print(f"{name:18} {side:28} {took_ms:8.2f} ms; {'equal bit for bit' if same else 'differs'}", flush=True)


if __name__ == "__main__":
    main()
