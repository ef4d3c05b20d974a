"""The dispatcher of a pool: an actor on the head that takes frames over HTTP and gives them to the workers.

All of it runs on the event loop of the actor. Workers belong to it: they end with it, and Ray replaces those that die.
A frame is given to one worker once; if that one dies, the frame is lost.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import Any

from streamer.detectors.ray import wire
from streamer.detectors.ray.front import FrameServer, WorkerLost
from streamer.detectors.ray.turns import Turns
from streamer.detectors.ray.values import Loaded, PoolCard, PoolOrder, PoolStatus, Refused
from streamer.detectors.ray.worker import DetectorWorker

log = logging.getLogger(__name__)

_AGAIN_AFTER_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Pauses until a worker that has died is asked again whether its replacement has started."""
_REFUSED_AGAIN_S = 10.0
"""A replacement may have started on a machine without the model; Ray may move it."""


class PoolDispatcher:
    """A pool of workers and the server for their frames.

    Args:
        order: what the pool consists of.
    """

    def __init__(self, order: PoolOrder) -> None:
        self._order = order
        self._turns: Turns[tuple[str, wire.Bytes], Any] = Turns()
        self._server = FrameServer(order, self._turns)
        self._ready: dict[int, Loaded] = {}  # by worker
        self._refused: Refused | None = None
        self._loaded: Loaded | None = None
        self._restarted = 0
        self._changed: asyncio.Condition | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def card(self) -> PoolCard | Refused:
        """What a sender needs, as soon as one worker is ready. After a restart by Ray, this also starts the workers."""
        changed = await self._started()
        async with changed:
            await changed.wait_for(lambda: self._loaded is not None or self._refused is not None)
        if self._loaded is None:
            assert self._refused is not None
            return self._refused
        return PoolCard(self._server.port, self._order.token, self._loaded, self._order.workers)

    async def changed(self, ready: int, limit_s: float) -> PoolStatus:
        """The status, as soon as another number of workers is ready or one refuses its settings; or after the limit."""
        changed = await self._started()
        try:
            async with asyncio.timeout(limit_s), changed:
                await changed.wait_for(lambda: len(self._ready) != ready or self._refused is not None)
        except TimeoutError:
            pass
        return await self.status()

    async def status(self) -> PoolStatus:
        """How the pool is doing."""
        refused = self._refused or Refused("")
        return PoolStatus(
            name=self._order.name,
            detector=self._loaded.title if self._loaded is not None else self._order.detector.name,
            workers=self._order.workers,
            ready=len(self._ready),
            machines=tuple(sorted({one.machine for one in self._ready.values()})),
            port=self._server.port,
            senders=self._turns.senders,
            detected=self._server.detected,
            dropped=self._server.dropped,
            restarted=self._restarted,
            refused=refused.message,
            is_usage=refused.is_usage,
        )

    async def _started(self) -> asyncio.Condition:
        """Open the server and start the workers at the first call."""
        if self._changed is None:
            self._changed = asyncio.Condition()
            try:
                await self._server.start()
            except OSError as error:
                where = f"{self._order.host}:{self._order.port or 'any port'}"
                self._refused = Refused(f"the head cannot take frames at {where}: {error.strerror or error}", True)
                return self._changed
            ray = importlib.import_module("ray")
            for number in range(self._order.workers):
                self._tasks.append(asyncio.create_task(self._keep(ray, number)))
        return self._changed

    async def _keep(self, ray: Any, number: int) -> None:
        """One worker for the life of the pool: load, detect, and again when it was replaced."""
        order = self._order
        worker = (
            ray.remote(DetectorWorker)
            .options(
                num_cpus=order.num_cpus,
                num_gpus=order.num_gpus,
                max_restarts=-1,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
            )
            .remote(order.detector)
        )
        while True:
            loaded = await self._load(ray, worker)
            if isinstance(loaded, Refused):
                await self._set(number, None, loaded)
                await asyncio.sleep(_REFUSED_AGAIN_S)
                continue
            await self._set(number, loaded, None)
            try:
                await self._detect(ray, worker)
            except ray.exceptions.RayError as error:
                log.warning("a worker of pool %s has died: %s", order.name, error)
            self._restarted += 1
            await self._set(number, None, None)

    async def _load(self, ray: Any, worker: Any) -> Loaded | Refused:
        attempt = 0
        while True:
            try:
                answer: Loaded | Refused = await worker.load.remote()
                return answer
            except ray.exceptions.RayError as error:  # it is being replaced
                log.info("a worker of pool %s is not there yet: %s", self._order.name, error)
                await asyncio.sleep(_AGAIN_AFTER_S[min(attempt, len(_AGAIN_AFTER_S) - 1)])
                attempt += 1

    async def _set(self, number: int, loaded: Loaded | None, refused: Refused | None) -> None:
        assert self._changed is not None
        async with self._changed:
            self._ready.pop(number, None)
            if loaded is not None:
                self._ready[number] = loaded
                self._loaded = self._loaded or loaded
            self._refused = refused
            self._server.ready = len(self._ready)
            self._changed.notify_all()

    async def _detect(self, ray: Any, worker: Any) -> None:
        """Give frames to the worker, one at a time, until it dies."""
        while True:
            mine = await self._turns.next()
            try:
                async with asyncio.timeout(self._order.detector.timeout_s):
                    found = await worker.detect.remote(*mine.frame)
            except TimeoutError:
                ray.kill(worker, no_restart=False)
                found = WorkerLost(f"the detector hung for {self._order.detector.timeout_s:g} s and is loaded again")
            except ray.exceptions.RayError:
                if not mine.answer.done():
                    mine.answer.set_result(WorkerLost("the worker that had the frame has died"))
                raise
            if not mine.answer.done():
                mine.answer.set_result(found)
