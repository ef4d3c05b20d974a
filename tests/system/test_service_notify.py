"""Messages to the service manager, received on a real datagram socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.system.service_notify import ServiceNotify

WAIT_S = 10.0


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """A socket like that of systemd, in the file system or in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(WAIT_S)
        receiver.bind(str(tmp_path / "notify") if request.param == "path" else f"\0streamer-test-{os.getpid()}")
        yield receiver


def environment_of(manager: socket.socket) -> dict[str, str]:
    address = manager.getsockname()
    return {"NOTIFY_SOCKET": address if isinstance(address, str) else f"@{address[1:].decode()}"}


def received(manager: socket.socket) -> dict[str, str]:
    """The assignments of one message."""
    lines = manager.recv(4096).decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_start_and_the_end_are_announced(manager: socket.socket) -> None:
    notify = ServiceNotify(environment_of(manager))
    notify.ready("2 cameras")
    for status in ("2 cameras", "1 of 2 cameras runs", "1 of 2 cameras runs"):
        notify.status(status)
    notify.stopping()
    assert received(manager) == {"READY": "1", "STATUS": "2 cameras"}
    assert received(manager) == {"STATUS": "1 of 2 cameras runs"}
    assert received(manager) == {"STOPPING": "1", "STATUS": "ending"}


def test_a_reload_is_announced_with_its_time_and_its_end(manager: socket.socket) -> None:
    before_us = time.monotonic_ns() // 1000
    with ServiceNotify(environment_of(manager)).reloading():
        begin = received(manager)
    assert begin["RELOADING"] == "1"
    assert before_us <= int(begin["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert received(manager) == {"READY": "1"}


def test_the_end_of_a_reload_that_failed_is_announced(manager: socket.socket) -> None:
    with pytest.raises(ValueError, match="invalid"), ServiceNotify(environment_of(manager)).reloading():
        raise ValueError("invalid")
    assert received(manager)["RELOADING"] == "1"
    assert received(manager) == {"READY": "1"}


def test_a_status_is_one_line(manager: socket.socket) -> None:
    ServiceNotify(environment_of(manager)).status("front: lost\nREADY=1")
    assert received(manager) == {"STATUS": r"front: lost\nREADY=1"}


def test_the_watchdog_gets_a_message_of_the_main_loop(manager: socket.socket) -> None:
    watched = environment_of(manager) | {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    notify = ServiceNotify(watched)
    assert notify.beat_s == 15.0
    for _ in range(3):  # of a main loop that is much faster than the watchdog
        notify.beat()
    notify.status("next")
    assert received(manager) == {"WATCHDOG": "1"}
    assert received(manager) == {"STATUS": "next"}


def test_each_beat_of_a_slow_main_loop_is_sent(manager: socket.socket) -> None:
    notify = ServiceNotify(environment_of(manager) | {"WATCHDOG_USEC": "2"})
    for _ in range(2):
        notify.beat()
        assert received(manager) == {"WATCHDOG": "1"}


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}])
def test_a_watchdog_of_another_process_gets_none(manager: socket.socket, watchdog: dict[str, str]) -> None:
    notify = ServiceNotify(environment_of(manager) | watchdog)
    assert notify.beat_s is None
    notify.beat()
    notify.status("next")
    assert received(manager) == {"STATUS": "next"}


def use(notify: ServiceNotify) -> None:
    notify.ready("")
    notify.beat()
    with notify.reloading():
        notify.stopping()


@pytest.mark.parametrize("address", [None, "", "/nonexistent/notify", "vsock:2:1234"])
def test_a_program_without_a_service_manager_goes_on(address: str | None) -> None:
    use(ServiceNotify({} if address is None else {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "9"}))
