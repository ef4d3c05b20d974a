"""Threads have the context of the thread that made them, unless they work for several streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from streamer.flow.threads import ThreadGroup
from streamer.system.threads import Thread, ThreadPool

STREAM: ContextVar[str] = ContextVar("stream", default="none")


@pytest.fixture(autouse=True)
def front() -> Iterator[None]:
    token = STREAM.set("front")
    yield
    STREAM.reset(token)


def seen_by(**options: bool) -> list[str]:
    """What a thread sees of the variable, and a thread that it makes."""
    seen: list[str] = []

    def look(depth: int) -> None:
        seen.append(STREAM.get())
        STREAM.set("changed inside")
        if depth:
            inner = Thread("inner", look, depth - 1)
            inner.start()
            inner.join()

    thread = Thread("outer", look, 1, **options)
    thread.start()
    thread.join()
    return seen


def test_a_thread_has_a_copy_of_the_context_of_its_maker() -> None:
    assert seen_by() == ["front", "changed inside"]
    assert STREAM.get() == "front"


def test_a_shared_thread_has_an_empty_context() -> None:
    assert seen_by(shared=True)[0] == "none"


def test_a_thread_has_the_context_of_its_making_not_of_its_start() -> None:
    seen: list[str] = []
    thread = Thread("late", lambda: seen.append(STREAM.get()))
    STREAM.set("yard")
    thread.start()
    thread.join()
    assert seen == ["front"]


def test_threads_are_named_daemons() -> None:
    thread = Thread("hls", lambda: None)
    assert (thread.name, thread.daemon) == ("streamer-hls", True)


def test_each_call_of_a_pool_has_the_context_of_its_caller() -> None:
    pool = ThreadPool(1, "recording")
    first = pool.submit(STREAM.get)
    STREAM.set("yard")
    second = pool.submit(STREAM.get)
    name = pool.submit(lambda: threading.current_thread().name)
    assert [first.result(), second.result()] == ["front", "yard"]
    assert name.result().startswith("streamer-recording")
    pool.shutdown()


def test_the_threads_of_a_group_have_the_context_of_the_group() -> None:
    seen: list[str] = []
    with ThreadGroup(lambda: None) as group:
        group.start("capture", lambda: seen.append(STREAM.get()))
    assert seen == ["front"]
