"""Runs coroutines on the thread of one target, with a time limit; any thread can cancel them.

A blocking call to a network library cannot be cancelled, and its time limits are for single reads: a receiver that
sends a byte now and then would hold the thread. A coroutine has neither problem.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from streamer.notify.target import DeliveryError
from streamer.system.threads import Thread

T = TypeVar("T")


class OwnLoop:
    """An event loop that runs while its owner waits for a result. `run` and `close` are called by one thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()  # guards the two below
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run a coroutine to its end.

        Raises:
            DeliveryError: it was cancelled.
            TimeoutError: it took longer than `timeout_s`, and was ended.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        loop = self._loop
        with self._lock:
            if self._cancelled:
                coroutine.close()
                raise DeliveryError("stopped")
            task = loop.create_task(_limited(coroutine, timeout_s))
            self._task = task
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError as error:
            raise DeliveryError("stopped") from error
        finally:
            with self._lock:
                self._task = None

    def cancel(self) -> None:
        """Any thread: end the coroutine, and refuse others from now on."""
        with self._lock:
            self._cancelled = True
            if self._task is not None:
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def close(self, last: Coroutine[Any, Any, object] | None = None) -> None:
        """Close the loop, after a coroutine that ends connections."""
        if self._loop is None:
            if last is not None:
                last.close()
            return
        if last is not None:
            with suppress(Exception):
                self._loop.run_until_complete(last)
        self._loop.close()
        self._loop = None


async def _limited(coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
    async with asyncio.timeout(timeout_s):
        return await coroutine


async def addresses_of(host: str, port: int, family: socket.AddressFamily) -> list[tuple[Any, ...]]:
    """`socket.getaddrinfo` on a thread of its own, which may outlast the program when no name server answers.

    The threads of asyncio's own resolver are joined at the end of the program.

    Raises:
        OSError: the name is not known.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def settle(found: list[tuple[Any, ...]] | OSError) -> None:
        if future.done():
            return
        if isinstance(found, OSError):
            future.set_exception(found)
        else:
            future.set_result(found)

    def look_up() -> None:
        found: list[tuple[Any, ...]] | OSError
        try:
            found = list(socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # UnicodeError: no host name
            found = error if isinstance(error, OSError) else OSError(str(error))
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, found)

    Thread("resolver", look_up).start()
    return await future
