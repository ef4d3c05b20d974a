"""The dispatcher of a pool: an actor on the head that takes frames over HTTP and gives them to the workers.

All of it runs on the event loop of the actor. Workers belong to it: they end with it, and Ray replaces those that die.
A frame is given to one worker once; if that one dies, the frame is lost.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

from streamer.cluster.errors import first_line
from streamer.detectors.ray import wire
from streamer.detectors.ray.front import FrameServer, WorkerLost
from streamer.detectors.ray.turns import Turns
from streamer.detectors.ray.values import Loaded, PoolCard, PoolOrder, PoolStatus, Refused
from streamer.detectors.ray.worker import DetectorWorker
from streamer.system.secrets import redacted

log = logging.getLogger(__name__)

_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Until a worker that is not there is asked again; the last one stays."""
_REPLACED = WorkerLost("the worker was replaced, and loads its detector")


def _pauses_s() -> Iterator[float]:
    return chain(_PAUSES_S, repeat(_PAUSES_S[-1]))


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

    async def card(self, limit_s: float) -> PoolCard | Refused | None:
        """What a sender needs, as soon as one worker is ready; None if none is within the limit.

        After a restart by Ray, this also starts the workers.
        """
        changed = await self._started()
        await self._awaited(changed, lambda: self._loaded is not None or self._refused is not None, limit_s)
        if self._loaded is None:
            return self._refused
        return PoolCard(self._server.port, self._order.token, self._loaded, self._order.workers)

    async def changed(self, ready: int, limit_s: float) -> PoolStatus:
        """The status, as soon as another number of workers is ready or one refuses its settings; or after the limit."""
        changed = await self._started()
        await self._awaited(changed, lambda: len(self._ready) != ready or self._refused is not None, limit_s)
        return await self.status()

    async def _awaited(self, changed: asyncio.Condition, is_so: Callable[[], bool], limit_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s), changed:
                await changed.wait_for(is_so)

    async def status(self) -> PoolStatus:
        """How the pool is doing."""
        refused = self._refused or Refused("")
        return PoolStatus(
            name=self._order.name,
            detector=self._loaded.title if self._loaded is not None else redacted(self._order.detector.name),
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
        worker, pauses_s = self._new_worker(ray), _pauses_s()
        while True:
            try:
                loaded = await self._load(ray, worker)
                if isinstance(await self._set(number, loaded), Loaded):
                    pauses_s = _pauses_s()
                    await self._detect(ray, worker)
            except ray.exceptions.ActorDiedError as error:  # Ray does not start it again
                log.warning("a worker of pool %s has died: %s", self._order.name, error)
                worker = self._new_worker(ray)
            except ray.exceptions.RayError as error:  # Ray starts it again
                log.warning("a worker of pool %s is not there: %s", self._order.name, error)
            if number in self._ready:
                self._restarted += 1
                await self._set(number, None)
            await asyncio.sleep(next(pauses_s))

    async def _load(self, ray: Any, worker: Any) -> Loaded | Refused:
        """Let the worker load its detector; what it cannot do is told by the status.

        Raises:
            RayError: it is being started.
        """
        try:
            answer: Loaded | Refused = await worker.load.remote()
        except ray.exceptions.ActorUnavailableError:
            raise
        except (ray.exceptions.ActorDiedError, ray.exceptions.RayTaskError) as error:
            if self._loaded is not None:
                raise
            return Refused(f"a worker does not start: {first_line(error)}")
        return answer

    def _new_worker(self, ray: Any) -> Any:
        order = self._order
        actor = ray.remote(DetectorWorker).options(
            num_cpus=order.num_cpus,
            num_gpus=order.num_gpus,
            max_restarts=-1,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        return actor.remote(order.detector)

    async def _set(self, number: int, found: Loaded | Refused | None) -> Loaded | Refused | None:
        """A worker is ready, refuses its settings, or is not there. Returns what counts.

        A worker with other classes than the first one is refused: senders number the classes as that one does.
        """
        assert self._changed is not None
        async with self._changed:
            if isinstance(found, Loaded) and self._loaded is not None and found.labels != self._loaded.labels:
                found = Refused(
                    f"{found.title} on {found.machine} has other classes than on {self._loaded.machine}: give all "
                    "machines the same model"
                )
                log.warning("%s", found.message)
            self._ready.pop(number, None)
            if isinstance(found, Loaded):
                self._ready[number] = found
                self._loaded = self._loaded or found
            self._refused = found if isinstance(found, Refused) else None
            self._server.ready = len(self._ready)
            self._changed.notify_all()
            return found

    async def _detect(self, ray: Any, worker: Any) -> None:
        """Give frames to the worker, one at a time, until it is replaced.

        Raises:
            RayError: it has died.
        """
        while True:
            mine = await self._turns.next()
            try:
                async with asyncio.timeout(self._order.detector.timeout_s):
                    found = await worker.detect.remote(*mine.frame)
            except TimeoutError:
                ray.kill(worker, no_restart=False)  # the next call raises, so the detector is loaded again
                found = WorkerLost(f"the detector hung for {self._order.detector.timeout_s:g} s and is loaded again")
            except ray.exceptions.RayError:
                if not mine.answer.done():
                    mine.answer.set_result(WorkerLost("the worker that had the frame has died"))
                raise
            if not mine.answer.done():
                mine.answer.set_result(_REPLACED if found is None else found)
            if found is None:
                return
