"""Signals that reach the program while a library runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue

import pytest

from streamer.system.interrupts import Interrupts


def swallowed(number: int) -> None:
    """A signal whose KeyboardInterrupt a library catches."""
    with suppress(KeyboardInterrupt):
        os.kill(os.getpid(), number)
        threading.Event().wait(1)  # the handler runs here at the latest


@pytest.fixture
def sighup_by_default() -> Iterator[None]:
    """The tests may run under `nohup`, which ignores SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("sighup_by_default")
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


def send(number: int) -> None:
    """A signal to this process, whose handler has run on return."""
    os.kill(os.getpid(), number)
    threading.Event().wait(0)


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN], ids=["default", "nohup"])
def test_sighup_reloads_on_another_thread_and_ends_nothing(before: signal.Handlers) -> None:
    own, stopped, threads = signal.signal(signal.SIGHUP, before), threading.Event(), SimpleQueue[int]()
    try:
        with Interrupts() as interrupts:
            interrupts.stop_with(stopped.set)
            interrupts.reload_with(lambda: threads.put(threading.get_ident()))
            for _ in range(2):
                send(signal.SIGHUP)
                assert threads.get(timeout=10) != threading.get_ident()
            assert interrupts.signal_number is None
            assert not stopped.is_set()
            send(signal.SIGTERM)
            assert stopped.wait(10)
            assert interrupts.signal_number == signal.SIGTERM
        assert signal.getsignal(signal.SIGHUP) == before
    finally:
        signal.signal(signal.SIGHUP, own)


def test_signals_during_a_reload_lead_to_one_more_reload() -> None:
    began, go_on = SimpleQueue[int](), SimpleQueue[int]()

    def reload() -> None:
        began.put(0)
        go_on.get(timeout=10)

    with Interrupts() as interrupts:
        interrupts.reload_with(reload)
        send(signal.SIGHUP)
        began.get(timeout=10)
        for _ in range(5):
            send(signal.SIGHUP)
        go_on.put(0)
        began.get(timeout=10)
        go_on.put(0)
    assert began.empty()


def test_a_reload_that_raises_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    answers: SimpleQueue[str] = SimpleQueue()
    errors = iter([RuntimeError("a bug"), None])

    def reload() -> None:
        error = next(errors)
        answers.put(str(error))
        if error is not None:
            raise error

    with Interrupts() as interrupts:
        interrupts.reload_with(reload)
        send(signal.SIGHUP)
        assert answers.get(timeout=10) == "a bug"
        send(signal.SIGHUP)
        assert answers.get(timeout=10) == "None"
    assert "the reload failed" in caplog.text


def test_a_signal_during_an_import_prints_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing runs callbacks of weak references, where Python prints an exception and goes on."""
    printed, stopped = list[object](), threading.Event()
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    with Interrupts() as interrupts:
        lock = threading.Event()
        reference = weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGINT))
        del lock
        assert reference() is None
        assert printed == []
        interrupts.stop_with(stopped.set)
        assert stopped.is_set()
    assert sys.unraisablehook == printed.append
