"""How fast a backlog drains to an MQTT broker that is far away, several messages at a time and one by one.

    python -m benchmarks.delivery.round_trip [--messages N] [--delay MS] [--rounds N]

A proxy before Mosquitto passes everything on after half of the delay in each direction. Both ways take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Self, cast

from benchmarks.clips import machine
from benchmarks.delivery.program import event
from benchmarks.delivery.receivers import MOSQUITTO, Broker
from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.notify.notifier import Notifier
from streamer.notify.target import Message, Target
from streamer.store.event_store import EventStore
from streamer.system.threads import Thread
from streamer.values.events import EventPhase


class DelayProxy:
    """Connections to a port of 127.0.0.1, each direction late by a time. A context manager.

    Attributes:
        port: to connect to.
    """

    def __init__(self, to_port: int, delay_s: float) -> None:
        self._to_port, self._delay_s = to_port, delay_s
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = Thread("proxy", self._loop.run_until_complete, self._run())
        self._over: asyncio.Event
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _run(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._over.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        await asyncio.gather(self._pass_on(reader, to_writer), self._pass_on(to_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self._loop.call_later(self._delay_s, writer.write, data)
        self._loop.call_later(self._delay_s, writer.close)


class OneByOne:
    """A target without `deliver_all`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.cancel, self.close = target.cancel, target.close

    def deliver(self, message: Message) -> str:
        """As of `Target`."""
        return self._target.deliver(message)


def drained_per_s(folder: Path, port: int, messages: int, *, together: bool) -> float:
    """Messages a second, from the start of the program to the last acknowledgement."""
    chosen = NotifySettings.model_validate({"targets": {"home": {"type": "mqtt", "url": f"mqtt://127.0.0.1:{port}"}}})
    with EventStore(StoreSettings(folder=folder)) as store:
        for number in range(messages):
            store.save(event(number), EventPhase.MOMENT, ["home"])
        store.flush()
        notifier = Notifier(chosen, store, folder)
        if not together:
            worker = notifier._workers["home"]
            worker._target = cast(Target, OneByOne(worker._target))
        began_s = time.monotonic()
        with notifier:
            while notifier._workers["home"].status.delivered < messages:
                time.sleep(0.01)
            return messages / (time.monotonic() - began_s)


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--delay", type=float, default=20.0, help="round trip, milliseconds")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if not MOSQUITTO:
        raise SystemExit("needs mosquitto: apt-get install mosquitto")
    rates: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(Path(name))
        broker.start()
        try:
            with DelayProxy(broker.port, given.delay / 2000) as proxy:
                for number in range(2 * given.rounds):
                    together = number % 2 == 1
                    folder = Path(name) / f"store-{number}"
                    rates[together].append(drained_per_s(folder, proxy.port, given.messages, together=together))
        finally:
            broker.close()
    one, many = (statistics.median(rates[together]) for together in (False, True))
    print(f"{machine()}: {given.messages} messages, round trip {given.delay:g} ms, median of {given.rounds}")
    print(f"one by one {one:.0f}/s, several at a time {many:.0f}/s: {many / one:.1f} times")


if __name__ == "__main__":
    main()
