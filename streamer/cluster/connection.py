"""The connection to a Ray cluster: addresses, errors in plain words, and what is imported lazily. Main thread."""

from __future__ import annotations

from streamer.errors import StreamerError

LOCAL = "local"
"""The address of a cluster on this machine that lives as long as the run."""


class ClusterUnavailable(StreamerError):
    """There is no cluster at this address, or Ray is not installed."""

    exit_code = 2
