"""The dispatcher of a pool, without Ray: which workers count, and what its status shows."""

from __future__ import annotations

import asyncio

from streamer.config.detector import DetectorSettings
from streamer.detectors.ray.dispatcher import PoolDispatcher
from streamer.detectors.ray.values import Loaded, PoolOrder, Refused
from streamer.values.labels import LabelTable


def dispatcher_of(detector: str) -> PoolDispatcher:
    order = PoolOrder("pool", DetectorSettings(name=detector), 2, 1, 0, "127.0.0.1", 0, "token")
    dispatcher = PoolDispatcher(order)
    dispatcher._changed = asyncio.Condition()
    return dispatcher


def loaded(machine: str, *names: str) -> Loaded:
    return Loaded("model.onnx", LabelTable(names), 0.5, 0.5, machine)


def test_a_worker_with_other_classes_gets_no_frames() -> None:
    """Its numbers of classes would get the names of the first worker's."""

    async def run() -> None:
        dispatcher = dispatcher_of("model.onnx")
        assert await dispatcher._set(0, loaded("one", "Person", "Car")) == loaded("one", "Person", "Car")
        refused = await dispatcher._set(1, loaded("two", "Car", "Person"))
        assert isinstance(refused, Refused)
        assert refused.message.startswith("model.onnx on two has other classes than on one")
        assert (await dispatcher.status()).ready == 1
        assert isinstance(await dispatcher._set(1, loaded("two", "Person", "Car")), Loaded)
        assert (await dispatcher.status()).ready == 2

    asyncio.run(run())


def test_a_card_that_is_not_there_in_time_is_none() -> None:
    async def run() -> None:
        dispatcher = dispatcher_of("model.onnx")
        assert await dispatcher.card(0.001) is None
        await dispatcher._set(0, loaded("one", "Person"))
        assert await dispatcher.card(0.001) is not None

    asyncio.run(run())


def test_the_status_of_a_pool_that_loads_shows_no_login() -> None:
    async def run() -> None:
        status = await dispatcher_of("kserve+http://me:of-mine-only@host:8000/v2/models/m").status()
        assert status.detector == "kserve+http://host:8000/v2/models/m"

    asyncio.run(run())
