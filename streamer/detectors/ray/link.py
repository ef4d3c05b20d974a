"""Where a pool is, and the thread that finds it again: after the cluster or the pool was started anew.

Shared by the detectors of a run. Any thread may use it.
"""

from __future__ import annotations

import logging
import secrets
from threading import Event, Lock

from streamer.cluster.connection import Cluster, connect
from streamer.detectors.ray import pools
from streamer.detectors.ray.address import PoolAddress
from streamer.detectors.ray.values import PoolCard
from streamer.detectors.ray.wire import Conversion
from streamer.errors import ModelError, StreamerError
from streamer.system.threads import Thread
from streamer.values.labels import LabelTable

log = logging.getLogger(__name__)

_AGAIN_AFTER_S = 0.3
"""Pause between two questions for a pool that is not there yet; below 1 s with all that follows."""
_CONNECT_S = 20.0
_ANSWER_S = 2.0
_END_S = 1.0
"""Longest wait of a run that ends for a search: a connection to a cluster that hangs cannot be ended."""


def card_of(address: PoolAddress, *, timeout_s: float = 60.0) -> PoolCard:
    """Connect to the cluster, find the pool, disconnect.

    Raises:
        ConfigError: there is no such pool.
        ModelError: it has no detector yet.
        ClusterUnavailable: there is no cluster, or it cannot be used.
    """
    with connect(address.cluster, timeout_s=timeout_s, reconnect_s=0) as cluster:
        return pools.find(cluster, address.name)


class PoolLink:
    """The place of a pool, which may change.

    Args:
        address: of the pool.
        card: from `card_of`.

    Attributes:
        sender: identifies the run, for fair turns in the pool.
        conversions: by the size of a frame: the picture of it that the pool's detector takes, once that is known.
    """

    def __init__(self, address: PoolAddress, card: PoolCard) -> None:
        self.address = address
        self.sender = secrets.token_hex(8)
        self.conversions: dict[tuple[int, int], Conversion] = {}  # several threads may write the same
        self._lock = Lock()  # guards the two below
        self._card = card
        self._search: Thread | None = None
        self._closed = Event()
        self._labels = card.loaded.labels
        self._has_warned = False  # of other classes; used by the search only

    @property
    def host(self) -> str:
        """The machine that takes the frames: the head of the cluster."""
        return self.address.cluster.host.strip("[]")

    @property
    def labels(self) -> LabelTable:
        """The classes; they stay the same for the run."""
        return self._labels

    @property
    def card(self) -> PoolCard:
        """What is known of the pool now."""
        with self._lock:
            return self._card

    def renew(self, card: PoolCard | None) -> None:
        """Find the pool again, because `card` is out of date. Returns at once."""
        with self._lock:
            is_searched = self._search is not None and self._search.is_alive()
            if card is not self._card or is_searched or self._closed.is_set():
                return
            self._search = Thread("pool-search", self._find, shared=True)
            self._search.start()

    def close(self) -> None:
        """End the search. May be called twice."""
        self._closed.set()
        with self._lock:
            search = self._search
        if search is not None:
            search.join(_END_S)

    def _find(self) -> None:
        try:
            with connect(self.address.cluster, timeout_s=_CONNECT_S, reconnect_s=0) as cluster:
                found = self._awaited(cluster)
        except StreamerError as error:  # the next frame asks again
            log.debug("%s was not found again: %s", self.address, error)
            return
        if found is not None:
            with self._lock:
                self._card = found

    def _awaited(self, cluster: Cluster) -> PoolCard | None:
        """The pool, as soon as it is there with the classes of the run; None after `close`."""
        while not self._closed.is_set():
            try:
                found = pools.find(cluster, self.address.name, limit_s=_ANSWER_S)
            except (pools.NoPool, ModelError) as error:
                log.debug("%s", error)
            else:
                if found.loaded.labels == self._labels:
                    return found
                self._warn()
            self._closed.wait(_AGAIN_AFTER_S)
        return None

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("%s has another detector now, with other classes; end the run and start it again", self.address)
