"""Signals that reach the program while a library runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from streamer.system.interrupts import Interrupts


def swallowed(number: int) -> None:
    """A signal whose KeyboardInterrupt a library catches."""
    with suppress(KeyboardInterrupt):
        os.kill(os.getpid(), number)
        threading.Event().wait(1)  # the handler runs here at the latest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_a_library_swallows_ends_the_run_when_it_is_ready(number: int) -> None:
    stopped = threading.Event()
    with Interrupts() as interrupts:
        swallowed(number)
        assert not stopped.is_set()
        interrupts.stop_with(stopped.set)
        assert stopped.is_set()
        assert interrupts.signal_number == number


def test_a_run_without_a_signal_is_not_stopped() -> None:
    stopped = threading.Event()
    stop: Callable[[], None] = stopped.set
    with Interrupts() as interrupts:
        interrupts.stop_with(stop)
        assert not stopped.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped.wait(10)
