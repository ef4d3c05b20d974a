"""The use of the object store of a cluster, as its nodes count it. Any thread."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class ObjectStoreFigures:
    """Of all nodes together.

    Attributes:
        used_bytes: of the objects in memory now.
        available_bytes: how many fit.
        spilled_bytes: written to disk since the cluster started, because they did not fit.
        restored_bytes: read back from disk.
    """

    used_bytes: int
    available_bytes: int
    spilled_bytes: int
    restored_bytes: int


def object_store_figures(ray: Any, *, remotely: bool) -> ObjectStoreFigures | None:
    """The figures of the connected cluster; None if this release of Ray does not tell.

    Args:
        ray: the module, connected.
        remotely: a client of the cluster cannot ask its nodes; a task on the cluster does then.
    """
    try:
        if not remotely:
            return _asked_here()
        task = ray.remote(num_cpus=0, max_retries=0)(_asked_here)
        answer = ray.get(task.remote(), timeout=_ANSWER_S)
    except Exception as error:  # figures are no reason to end a run; Ray has no public interface for them
        log.debug("no figures of the object store: %s", error)
        return None
    return answer if isinstance(answer, ObjectStoreFigures) else None


def _asked_here() -> ObjectStoreFigures:
    """Ask any node, which asks all others."""
    ray, internal_api = importlib.import_module("ray"), importlib.import_module("ray._private.internal_api")
    state = internal_api.get_state_from_address(ray.get_runtime_context().gcs_address)
    told = internal_api.get_memory_info_reply(state, timeout_seconds=_ANSWER_S).store_stats
    return ObjectStoreFigures(
        used_bytes=told.object_store_bytes_used,
        available_bytes=told.object_store_bytes_avail,
        spilled_bytes=told.spilled_bytes_total,
        restored_bytes=told.restored_bytes_total,
    )
