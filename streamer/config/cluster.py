"""Settings of the workers on a Ray cluster that detect the parts of a file (`run --cluster`).

The names of resources are those of Ray. Immutable; any thread may read them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamer.config.section import Section


class ClusterSettings(Section):
    """Workers on a Ray cluster. Each has its own process, and loads the detector once."""

    workers: int | None = Field(default=None, ge=1, le=10_000)
    """How many workers; as many as the cluster has room for if null."""
    num_cpus: float = Field(default=1.0, ge=0, le=1024)
    """CPUs that a worker reserves; a small detector detects as many frames in parallel."""
    num_gpus: float = Field(default=0.0, ge=0, le=64)
    """GPUs that a worker reserves; two workers share one with 0.5."""
    parts: int | None = Field(default=None, ge=1, le=100_000)
    """How many parts the file has; by its length and the number of workers if null."""
    in_flight: int = Field(default=2, ge=1, le=16)
    """Parts that a worker has at a time: one that it detects, and others that wait for it."""
    retries: int = Field(default=3, ge=0, le=100)
    """How often a part is given to another worker after its worker ended; then its frames are detected here."""
    start_s: float = Field(default=600.0, gt=0)
    """Time limit until the first worker has loaded the detector."""
    input: Literal["auto", "path", "send"] = "auto"
    """How a worker gets the file: by its path, or sent through the object store as far as a part needs it; `auto`
    sends it to workers that do not have it."""
