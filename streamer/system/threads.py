"""The threads of the program: each runs in a copy of the context of the thread that made it.

A context variable then has the same value on every thread of a stream, such as the name of its camera
(`streamer.observe.run_name`). Python 3.11 to 3.13 start threads with an empty context. All are daemons, so a thread
that hangs in a library cannot keep the program from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

PREFIX = "streamer-"
"""How the names of all threads begin."""


class Thread(threading.Thread):
    """A thread in a copy of the context of the thread that makes it.

    Args:
        name: of the thread, after `streamer-`.
        target: what it does.
        arguments: of `target`.
        shared: it works for several streams, so it starts with an empty context.
    """

    def __init__(self, name: str, target: Callable[..., object], *arguments: Any, shared: bool = False) -> None:
        super().__init__(target=target, args=arguments, name=f"{PREFIX}{name}", daemon=True)
        self._inherited = Context() if shared else copy_context()

    def run(self) -> None:
        """See `threading.Thread`."""
        self._inherited.run(super().run)


class ThreadPool(ThreadPoolExecutor):
    """A thread pool whose calls run in a copy of the context of the thread that submits them.

    Args:
        workers: how many threads.
        name: of the threads, after `streamer-`.
        initializer: called by each thread when it starts.
    """

    def __init__(self, workers: int, name: str, *, initializer: Callable[[], object] | None = None) -> None:
        super().__init__(workers, f"{PREFIX}{name}", initializer=initializer)

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `concurrent.futures.Executor`."""
        context = copy_context()
        return super().submit(lambda: context.run(function, *args, **kwargs))
