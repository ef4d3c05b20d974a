"""Workers on a Ray cluster, and who detects which part. One thread, `pool`, owns all of it and makes all calls to Ray.

Other threads only put events into its queue, so no wait polls, and every wait can be woken. The parts of a worker whose
process ends are given to the next one that is free. A worker that comes back says hello and is compared again: Ray may
have started it on another machine.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from streamer.errors import ConfigError, StreamerError
from streamer.parts.on_cluster.deliveries import Deliveries, PoolStatus
from streamer.parts.on_cluster.failures import ClusterLost, Failure, checked, failure_of, reason
from streamer.parts.on_cluster.input_blocks import InputBlocks
from streamer.parts.on_cluster.part_actor import Refused, Unknown, program_version
from streamer.parts.on_cluster.pool_worker import Answer, Call, PoolWorker, State
from streamer.parts.on_cluster.worker_group import WorkerGroup
from streamer.parts.plan import Plan
from streamer.parts.values import PartDetections, Worker

log = logging.getLogger(__name__)

_AHEAD = 2
"""Parts that are given out or wait for the join, in multiples of those that all workers have at a time: one slow
worker then does not stop the others at once."""


class _Close:
    """The event that ends the thread."""


class PartPool:
    """Gives the parts of a plan to workers.

    Args:
        group: the workers, until `run` has returned.
        plan: the path of its input is absolute.
    """

    def __init__(self, group: WorkerGroup, plan: Plan) -> None:
        self._ray, self._address = group.cluster.ray, str(group.cluster.address)
        self._group, self._plan, self._digest = group, plan, plan.digest
        self._settings, self._count, self._same = group.settings, group.count, group.same
        self._events: SimpleQueue[Answer | int | _Close] = SimpleQueue()
        self.deliveries = Deliveries(len(plan.parts), self._events.put)
        self._blocks = InputBlocks(plan, Path(plan.input.path))
        self._workers: list[PoolWorker] = []
        self._waiting = list(range(len(plan.parts)))  # a heap
        self._undelivered = set(self._waiting)
        self._tries: Counter[int] = Counter()
        self._needed = self._again = 0
        self._warned = False

    def close(self) -> None:
        """Any thread: end the workers, and `run`."""
        self.deliveries.close()
        self._events.put(_Close())

    def run(self) -> None:
        """Detect all parts. The thread that owns the pool."""
        try:
            self._start()
            while self._undelivered:
                event = self._events.get()
                if isinstance(event, _Close):
                    return
                if isinstance(event, int):
                    self._needed = event
                else:
                    self._take(event)
                self._give_out()
                self._show()
        except StreamerError as error:
            self.deliveries.fail(error)
        except Exception as error:  # of Ray, in a call that only sends
            self.deliveries.fail(self._translated(error))
        finally:
            self._end_workers()

    # workers

    def _start(self) -> None:
        for number, actor in enumerate(self._group.actors, 1):
            worker = PoolWorker(number, actor, self._digest, self._events.put)
            self._workers.append(worker)
            self._say_hello(worker)
        self._show()

    def _say_hello(self, worker: PoolWorker) -> None:
        worker.call(Call.HELLO, (program_version(), self._plan.to_json()))
        self._continue(worker)

    def _continue(self, worker: PoolWorker) -> None:
        worker.continue_calls(self._blocks.read)

    def _lose(self, worker: PoolWorker, why: str) -> None:
        worker.begin_life()
        worker.state = State.LOST
        with suppress(Exception):  # it is gone anyway
            self._ray.kill(worker.actor)
        log.warning("%s is not used any more: %s", worker.name, why)
        if all(one.state is State.LOST for one in self._workers):
            raise ClusterLost(f"no worker is left on {self._address}: {why}")

    def _end_workers(self) -> None:
        """The workers do nothing more for this file: one that still detects a part of it begins a new process."""
        if not self._group.many_files:
            self._group.end()
            return
        for worker in self._workers:
            with suppress(Exception):  # the connection is lost, and with it the workers
                if worker.parts:
                    self._ray.kill(worker.actor, no_restart=False)
                elif worker.state is not State.LOST:
                    worker.actor.forget.remote(self._digest)

    # answers

    def _take(self, answer: Answer) -> None:
        worker = answer.worker
        if isinstance(answer.value, PartDetections):  # also of a process that Ray has given up
            self._deliver(answer.value.number, answer.value)
        if answer.life != worker.life:
            return
        worker.took(answer)
        if answer.error is not None:
            self._failed(worker, answer, answer.error)
        elif isinstance(answer.value, Unknown):
            self._begin_again(worker)
        elif isinstance(answer.value, Refused):
            self._refused(worker, answer, answer.value)
        elif answer.call is Call.HELLO:
            self._greeted(worker, answer.value)
        elif answer.call is Call.LOAD:
            self._loaded(worker, answer.value)
        elif answer.part is not None:
            worker.parts.remove(answer.part)
        self._continue(worker)

    def _greeted(self, worker: PoolWorker, greeting: Mapping[str, Any]) -> None:
        worker.host = str(greeting["host"])
        if greeting["version"] != program_version():
            raise ConfigError(
                f"{worker.name} has version {greeting['version']} of streamer-video, this machine {program_version()}; "
                "install the same version everywhere"
            )
        wanted = self._settings.input
        if wanted == "path" and not greeting["has_input"]:
            raise ConfigError(
                f"{worker.name} does not have {self._plan.input.path}, or has another file there; add it, or leave "
                "out cluster.input, so that it is sent"
            )
        if wanted == "send" or (wanted == "auto" and not greeting["has_input"]):
            worker.sent = set()
            worker.send(self._blocks.opening())
        worker.state = State.LOADING
        worker.call(Call.LOAD)

    def _loaded(self, worker: PoolWorker, who: Worker) -> None:
        self._same.add(worker.name, who)
        worker.state, worker.failed_starts = State.READY, 0

    def _refused(self, worker: PoolWorker, answer: Answer, refused: Refused) -> None:
        if refused.invalid:
            raise ConfigError(f"{worker.name}: {refused.message}")
        if answer.part is not None:
            self._part_failed(worker, answer.part, refused.message)
        else:
            self._give_back(worker)
            self._lose(worker, refused.message)

    def _failed(self, worker: PoolWorker, answer: Answer, error: BaseException) -> None:
        checked(self._ray, error, self._address)
        kind, why = failure_of(self._ray, error), reason(error)
        if kind is Failure.CALL and answer.part is not None:
            self._part_failed(worker, answer.part, why)
            return
        if worker.state is not State.READY:
            worker.failed_starts += 1
        elif not self._warned:
            self._warned = True
            log.warning("%s ended; the part that it had is detected again", worker.name)
        if kind is not Failure.PROCESS or worker.failed_starts > self._settings.retries:
            self._give_back(worker)
            self._lose(worker, why)
            return
        self._begin_again(worker)

    def _begin_again(self, worker: PoolWorker) -> None:
        """Ray has started the process again; it has no plan."""
        self._give_back(worker)
        worker.begin_life()
        self._say_hello(worker)

    # parts

    def _give_out(self) -> None:
        """Give waiting parts to the workers with the fewest, as far ahead of the join as the memory may hold."""
        end = self._needed + _AHEAD * self._settings.in_flight * self._count
        later = []
        while self._waiting and self._waiting[0] < end:
            number = heapq.heappop(self._waiting)
            if number not in self._undelivered:  # a process that was given up has sent it after all
                continue
            worker = self._free_for(number)
            if worker is None:
                later.append(number)
                continue
            worker.parts.append(number)
            if worker.sent is not None:
                worker.send(self._blocks.of(number))
            worker.call(Call.DETECT, number)
            self._continue(worker)
        for number in later:
            heapq.heappush(self._waiting, number)

    def _free_for(self, number: int) -> PoolWorker | None:
        """The worker with the fewest parts that can take another one.

        A worker on which a part failed gets it again only if it failed on all: one that fails at once is always free,
        and would use up the tries of every part.
        """
        ready = [one for one in self._workers if one.state is State.READY]
        others = [one for one in ready if number not in one.failed_parts] or ready
        free = [one for one in others if len(one.parts) < self._settings.in_flight]
        return min(free, key=lambda one: len(one.parts), default=None)

    def _give_back(self, worker: PoolWorker) -> None:
        """The parts of a worker that has ended wait again. Only the first of them can be the reason."""
        for place, number in enumerate(worker.parts):
            if place:
                heapq.heappush(self._waiting, number)
            else:
                self._try_again(number, f"{worker.name} ended")
        worker.parts.clear()

    def _part_failed(self, worker: PoolWorker, number: int, why: str) -> None:
        """The worker goes on with its other parts."""
        worker.parts.remove(number)
        worker.failed_parts.add(number)
        self._try_again(number, f"{worker.name}: {why}")

    def _try_again(self, number: int, why: str) -> None:
        if number not in self._undelivered:
            return
        self._tries[number] += 1
        if self._tries[number] > self._settings.retries:
            log.warning("part %d failed %d times on the cluster (%s)", number, self._tries[number], why)
            self._deliver(number, None)
        else:
            self._again += 1
            heapq.heappush(self._waiting, number)

    def _deliver(self, number: int, part: PartDetections | None) -> None:
        if number in self._undelivered:
            self._undelivered.discard(number)
            self.deliveries.put(number, part)

    def _show(self) -> None:
        states = Counter(one.state for one in self._workers)
        self.deliveries.show(
            PoolStatus(
                parts=len(self._plan.parts),
                done=len(self._plan.parts) - len(self._undelivered),
                again=self._again,
                started=states[State.LOADING] + states[State.READY],
                workers=states[State.READY],
                wanted=self._count,
            )
        )

    def _translated(self, error: Exception) -> StreamerError:
        try:
            checked(self._ray, error, self._address)
        except StreamerError as translated:
            return translated
        return ClusterLost(f"the workers on {self._address} failed ({reason(error)})")
