"""Who detects which part, whatever a cluster does. Ray is replaced: no cluster fails in these ways on demand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import pytest
import ray.exceptions

from streamer.cluster.connection import Cluster, ClusterAddress
from streamer.config.settings import ClusterSettings
from streamer.errors import ConfigError, Interrupted, StreamerError
from streamer.parts.matching import SameWorkers
from streamer.parts.on_cluster.cluster_supply import ClusterSupply, part_count, worker_count
from streamer.parts.on_cluster.failures import ClusterLost
from streamer.parts.on_cluster.part_actor import Refused, Unknown, program_version
from streamer.parts.on_cluster.worker_group import WorkerGroup
from streamer.parts.plan import Part, Plan, PlannedInput
from streamer.parts.values import PartDetections
from tests.parts.parts import WORKER, part

WITHIN_S = 20
PARTS = 10
GREETING = {"version": program_version(), "host": "node", "has_input": True}
ENDED = ray.exceptions.ActorUnavailableError("ended", None)


@dataclass
class Call:
    """A call of the pool that waits for its answer."""

    actor: int
    method: str
    argument: Any
    answer: Future[Any] = field(default_factory=Future)


class FakeRay:
    """What the pool uses of Ray. The test answers the calls."""

    exceptions = ray.exceptions

    def __init__(self) -> None:
        self.calls: SimpleQueue[Call] = SimpleQueue()
        self.killed: list[int] = []
        self.restarted: list[int] = []
        self._actors = 0

    def remote(self, *_arguments: object) -> Any:
        """The class of an actor, and then an actor."""
        if not _arguments or isinstance(_arguments[0], type):
            return self
        self._actors += 1
        return FakeActor(self._actors, self.calls)

    def options(self, **_options: object) -> FakeRay:
        """Ignored."""
        return self

    def kill(self, actor: FakeActor, *, no_restart: bool = True) -> None:
        """Remember it."""
        (self.killed if no_restart else self.restarted).append(actor.number)

    def next(self, method: str) -> Call:
        """The next call."""
        call = self.calls.get(timeout=WITHIN_S)
        assert call.method == method
        return call

    def start(self, count: int = 1) -> None:
        """Let workers start and load the detector."""
        for _ in range(count):
            self.next("hello").answer.set_result(GREETING)
        for _ in range(count):
            self.next("load").answer.set_result(WORKER)


@dataclass
class FakeActor:
    """A handle."""

    number: int
    calls: SimpleQueue[Call]

    def __getattr__(self, method: str) -> FakeMethod:
        return FakeMethod(self, method)


@dataclass
class FakeMethod:
    """A method of a handle."""

    actor: FakeActor
    name: str

    def remote(self, *arguments: Any) -> FakeMethod:
        """Note the call: the first argument of all but `hello` is the digest of the plan."""
        self.call = Call(self.actor.number, self.name, arguments[-1])
        self.actor.calls.put(self.call)
        return self

    def future(self) -> Future[Any]:
        """The answer."""
        return self.call.answer


def made(number: int) -> PartDetections:
    return part(number=number)


@contextlib.contextmanager
def pool(
    workers: int = 1, parts: int = PARTS, *, many_files: bool = False, **settings: Any
) -> Iterator[tuple[FakeRay, ClusterSupply]]:
    fake = FakeRay()
    plan = Plan(
        input=PlannedInput(path="/clip.mp4", size_bytes=1, sha256="", edges_sha256=""),
        time_base="1/25",
        frames=parts,
        parts=tuple(Part(number=number) for number in range(parts)),
    )
    cluster = Cluster(ClusterAddress(), fake)
    group = WorkerGroup(cluster, ClusterSettings(**settings), workers, SameWorkers(), many_files=many_files)
    with group, ClusterSupply(group, plan) as supply:
        yield fake, supply


def test_no_more_parts_are_given_out_than_the_join_needs_soon() -> None:
    with pool() as (fake, supply):
        fake.start()
        for number in range(4):  # 2 in flight, and twice as many that the join has not taken
            call = fake.next("detect")
            assert call.argument == number
            call.answer.set_result(made(number))
        supply.wait(0)
        while supply.status.done < 4:
            pass
        assert fake.calls.empty()
        supply.wait(1)
        assert fake.next("detect").argument == 4


def test_part_of_a_worker_that_ended_is_given_to_another() -> None:
    with pool(workers=2, in_flight=1) as (fake, supply):
        fake.start(2)
        first, second = fake.next("detect"), fake.next("detect")
        first.answer.set_exception(ENDED)
        assert fake.next("hello").actor == first.actor
        second.answer.set_result(made(1))
        again = fake.next("detect")
        assert (again.actor, again.argument) == (second.actor, 0)
        again.answer.set_result(made(0))
        found = supply.wait(0)
        assert found is not None
        assert found.number == 0
        assert supply.status.again == 1


def test_part_that_ends_every_worker_is_detected_here() -> None:
    with pool(retries=1, in_flight=1) as (fake, supply):
        for _ in range(2):
            fake.start()
            fake.next("detect").answer.set_exception(ENDED)
        fake.start()
        assert supply.wait(0) is None
        assert fake.next("detect").argument == 1


def test_a_failure_of_the_worker_itself_is_tried_again() -> None:
    with pool(in_flight=1) as (fake, supply):
        fake.start()
        fake.next("detect").answer.set_result(Refused("the file cannot be read", invalid=False))
        call = fake.next("detect")
        assert call.argument == 0
        call.answer.set_result(made(0))
        assert supply.wait(0) is not None


def test_a_part_is_not_tried_again_on_the_worker_that_failed() -> None:
    with pool(workers=2, in_flight=1, retries=1) as (fake, supply):
        fake.start(2)
        broken, other = fake.next("detect"), fake.next("detect")
        assert (broken.argument, other.argument) == (0, 1)
        for number in (2, 3):  # it is free again at once, but part 0 waits for the other one
            broken.answer.set_result(Refused("the file cannot be read", invalid=False))
            next_one = fake.next("detect")
            assert (next_one.actor, next_one.argument) == (broken.actor, number)
            broken = next_one
        other.answer.set_result(made(1))
        for number in (0, 2):
            again = fake.next("detect")
            assert (again.actor, again.argument) == (other.actor, number)
            again.answer.set_result(made(number))
        assert supply.wait(0) is not None
        assert supply.wait(2) is not None


def test_a_worker_without_the_file_is_refused_if_it_gets_no_bytes() -> None:
    with pool(input="path") as (fake, supply):
        fake.next("hello").answer.set_result({**GREETING, "has_input": False})
        with pytest.raises(ConfigError, match=r"worker 1 on node does not have /clip.mp4.*leave out cluster.input"):
            supply.start(print)


def test_worker_that_ends_while_it_loads_is_given_up() -> None:
    with pool(retries=1) as (fake, supply):
        for _ in range(2):
            fake.next("hello").answer.set_result(GREETING)
            fake.next("load").answer.set_exception(ENDED)
        with pytest.raises(ClusterLost, match="no worker is left on local"):
            supply.start(print)
        assert fake.killed[0] == 1


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ray.exceptions.ObjectStoreFullError("full"), ConfigError, "no room in the object store of local: .*in_flight"),
        (ray.exceptions.OutOfDiskError("full"), ConfigError, "no room in the object store of local"),
        (ConnectionError("gone"), ClusterLost, "the connection to local is lost; run again"),
        (ModuleNotFoundError("No module named 'streamer'"), ConfigError, "do not have this program"),
    ],
)
def test_what_ends_the_run_is_one_line(error: Exception, kind: type[StreamerError], message: str) -> None:
    with pool() as (fake, supply):
        fake.start()
        fake.next("detect").answer.set_exception(error)
        with pytest.raises(kind, match=message) as raised:
            supply.wait(0)
        assert "\n" not in str(raised.value)


def test_another_version_is_refused() -> None:
    with pool() as (fake, supply):
        fake.next("hello").answer.set_result({**GREETING, "version": "0.1"})
        with pytest.raises(ConfigError, match=r"worker 1 on node has version 0.1 of streamer-video, this machine"):
            supply.start(print)


def test_model_that_a_worker_cannot_load_ends_the_run() -> None:
    with pool() as (fake, supply):
        fake.next("hello").answer.set_result(GREETING)
        fake.next("load").answer.set_result(Refused("there is no model.onnx", invalid=True))
        with pytest.raises(ConfigError, match=r"worker 1 on node: there is no model.onnx"):
            supply.start(print)


def test_closing_wakes_the_join_and_ends_the_workers() -> None:
    with pool(workers=3) as (fake, supply):
        supply.close()
        with pytest.raises(Interrupted):
            supply.wait(0)
    assert fake.killed == [1, 2, 3]


def test_workers_end_with_the_last_part() -> None:
    with pool(parts=1) as (fake, supply):
        fake.start()
        fake.next("detect").answer.set_result(made(0))
        assert supply.wait(0) is not None
        supply._thread.join(WITHIN_S)
        assert fake.killed == [1]


def test_workers_of_many_files_stay_and_forget_the_file() -> None:
    with pool(parts=1, many_files=True) as (fake, supply):
        fake.start()
        fake.next("detect").answer.set_result(made(0))
        assert supply.wait(0) is not None
        supply._thread.join(WITHIN_S)
        fake.next("forget")
        assert (fake.killed, fake.restarted) == ([], [])
    assert fake.killed == [1]


def test_a_worker_that_detects_a_part_of_an_ended_file_begins_anew() -> None:
    with pool(many_files=True, in_flight=1) as (fake, supply):
        fake.start()
        fake.next("detect")
        supply.close()
        supply._thread.join(WITHIN_S)
        assert (fake.killed, fake.restarted) == ([], [1])


def test_a_worker_that_does_not_know_the_plan_gets_it_again() -> None:
    with pool(in_flight=1) as (fake, supply):
        fake.start()
        fake.next("detect").answer.set_result(Unknown())
        fake.start()
        call = fake.next("detect")
        assert call.argument == 0
        call.answer.set_result(made(0))
        assert supply.wait(0) is not None


def test_without_room_the_message_says_what_is_missing() -> None:
    told: list[str] = []
    with pool(start_s=0.05, num_gpus=1) as (fake, supply):
        fake.cluster_resources = lambda: {"CPU": 4.0}  # type: ignore[attr-defined]
        with pytest.raises(ConfigError, match="each worker needs 1 CPU and 1 GPU, the cluster has 4 CPU and 0 GPU"):
            supply.start(told.append)
    assert told == ["no worker has started yet: each worker needs 1 CPU and 1 GPU, the cluster has 4 CPU and 0 GPU"]


def test_a_cluster_that_is_lost_while_workers_start_is_one_line() -> None:
    def lost() -> dict[str, float]:
        fake.next("hello").answer.set_exception(ConnectionError("gone"))
        raise ValueError("Cannot invoke RPC on closed channel!")

    with pool(start_s=0.1) as (fake, supply):
        fake.cluster_resources = lost  # type: ignore[attr-defined]
        with pytest.raises((ClusterLost, ConfigError), match=r"connection to local is lost|no worker has loaded"):
            supply.start(print)


@pytest.mark.parametrize(
    ("settings", "resources", "count"),
    [
        ({}, {"CPU": 8.0}, 8),
        ({"num_cpus": 3}, {"CPU": 8.0}, 2),
        ({"num_gpus": 0.5}, {"CPU": 8.0, "GPU": 2.0}, 4),
        ({"num_gpus": 1}, {"CPU": 8.0}, 1),
        ({"workers": 5}, {"CPU": 2.0}, 5),
    ],
)
def test_there_are_as_many_workers_as_have_room(
    settings: dict[str, float], resources: dict[str, float], count: int
) -> None:
    assert worker_count(resources, ClusterSettings.model_validate(settings)) == count


@pytest.mark.parametrize(
    ("frames", "workers", "parts"), [(None, 2, 8), (1500, 8, 32), (90_000, 8, 175), (40, 8, 2), (1, 2, 1)]
)
def test_parts_are_neither_short_nor_long(frames: int | None, workers: int, parts: int) -> None:
    assert part_count(frames, workers, ClusterSettings()) == parts
    assert part_count(frames, workers, ClusterSettings(parts=7)) == 7
