"""A thread group: the first error is raised, and no thread is left behind unnoticed."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from streamer.flow.queues import BoundedQueue, Closed
from streamer.flow.threads import ThreadGroup


def test_the_first_error_of_a_thread_is_raised() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)

    def fail() -> None:
        raise OSError("the disk is full")

    def serve() -> None:
        with ThreadGroup(queue.close) as thread_group:
            thread_group.start("failing", fail)
            queue.get()

    with pytest.raises(OSError, match="the disk is full"):
        serve()


def test_the_error_of_the_owner_is_not_hidden_by_a_thread() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)

    def also_fail() -> None:
        try:
            queue.get()
        except Closed:
            raise OSError("a consequence") from None

    def serve() -> None:
        with ThreadGroup(queue.close) as thread_group:
            thread_group.start("waiting", also_fail)
            raise KeyError("the cause")

    with pytest.raises(KeyError, match="the cause"):
        serve()


def test_leaving_waits_for_the_threads() -> None:
    done = threading.Event()
    with ThreadGroup(lambda: None) as thread_group:
        thread_group.start("short", done.set)
    assert done.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "streamer-short"]


def test_a_hanging_thread_is_logged_and_does_not_block_the_owner(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(30)

    with caplog.at_level(logging.WARNING), ThreadGroup(lambda: None, deadline_s=0.05) as thread_group:
        thread_group.start("stuck", hang)
    release.set()
    assert "streamer-stuck did not end" in caplog.text


def test_a_thread_with_a_deadline_of_its_own_is_waited_for_less_long() -> None:
    release, done = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(30)

    def let_go() -> None:  # ends only after the hanging thread was left behind
        threads[0].join(0.2)
        done.set()

    with ThreadGroup(lambda: None, deadline_s=30.0) as thread_group:
        thread_group.start("long", hang, deadline_s=0.05)
        threads = [thread for thread in threading.enumerate() if thread.name == "streamer-long"]
        thread_group.start("short", let_go)
    assert done.is_set()
    assert threads[0].is_alive()
    release.set()
    threads[0].join(30)


@pytest.mark.parametrize(("left", "said"), [(True, "all of it"), (False, "all of it, torn down")])
def test_the_program_ends_at_once_only_if_a_thread_was_left_behind(left: bool, said: str) -> None:
    program = f"""
import atexit, threading
from streamer.flow.threads import ThreadGroup, leave
with ThreadGroup(lambda: None, deadline_s=0.01) as group:
    group.start("work", threading.Event().wait if {left} else int)
atexit.register(print, ", torn down", end="")
print("all of it", end="")  # and not flushed
leave(3)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (3, said)
