"""A pool without Ray: its server and its workers in this process, on a thread with an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from streamer.cluster.connection import ClusterAddress
from streamer.config.detector import DetectorSettings
from streamer.detectors.ray import wire
from streamer.detectors.ray.address import PoolAddress
from streamer.detectors.ray.front import FrameServer
from streamer.detectors.ray.link import PoolLink
from streamer.detectors.ray.turns import Turns
from streamer.detectors.ray.values import Loaded, PoolCard, PoolOrder
from streamer.detectors.ray.worker import DetectorWorker
from streamer.values.labels import LabelTable

TOKEN = "the-token-of-the-pool"
ADDRESS = PoolAddress(ClusterAddress("127.0.0.1", 1), "pool")
"""No cluster is there: a pool that has moved is not found."""
LABELS = LabelTable(("thing",))
Work = Callable[[str, wire.Bytes], Any]


@dataclass(frozen=True, slots=True)
class PoolHere:
    """A running pool.

    Attributes:
        server: of the frames; `ready` may be changed.
        card: what a sender needs.
    """

    server: FrameServer
    card: PoolCard

    def link(self, **changed: Any) -> PoolLink:
        """A link to it; `changed` are fields of its card."""
        fields = {name: getattr(self.card, name) for name in self.card.__slots__} | changed
        return PoolLink(ADDRESS, PoolCard(**fields))


@contextmanager
def pool_here(work: Work, *, workers: int = 1, loaded: Loaded | None = None) -> Iterator[PoolHere]:
    """Start a pool.

    Args:
        work: called for each frame on a thread, as `DetectorWorker.detect`.
        workers: how many frames it detects at a time.
        loaded: the detector.
    """
    order = PoolOrder("pool", DetectorSettings(), workers, 1, 0, "127.0.0.1", 0, TOKEN)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> FrameServer:
        turns: Turns[tuple[str, wire.Bytes], Any] = Turns()
        server = FrameServer(order, turns)
        await server.start()
        server.ready = workers
        tasks.extend(loop.create_task(_work(turns, work)) for _ in range(workers))
        return server

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await server.close()

    tasks: list[asyncio.Task[None]] = []
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield PoolHere(
            server, PoolCard(server.port, TOKEN, loaded or Loaded("test", LABELS, 0.0, 0.0, "here"), workers)
        )
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _work(turns: Turns[tuple[str, wire.Bytes], Any], work: Work) -> None:
    while True:
        mine = await turns.next()
        found = await asyncio.to_thread(work, *mine.frame)
        if not mine.answer.done():
            mine.answer.set_result(found)


@contextmanager
def pool_of(settings: DetectorSettings) -> Iterator[PoolHere]:
    """A pool with one detector of this program."""
    worker = DetectorWorker(settings)
    loaded = worker.load()
    assert isinstance(loaded, Loaded), loaded
    try:
        with pool_here(worker.detect, loaded=loaded) as pool:
            yield pool
    finally:
        worker.close()
