"""Messages to the service manager (sd_notify(3) of systemd): ready, reloading, stopping, status, watchdog. Any thread.

Without `NOTIFY_SOCKET` in the environment, which systemd sets for `Type=notify`, nothing is sent.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from streamer.system.paths import readable

_SEND_S = 1.0


class ServiceNotify:
    """The connection to the service manager.

    Args:
        environment: the variables of the process.

    Attributes:
        beat_s: half of the watchdog's limit (`WatchdogSec=`), seconds; None without a watchdog. The main loop calls
            `beat` at least this often.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        limit_us, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        is_watched = self._address and limit_us.isdecimal() and int(limit_us) > 0 and pid in ("", str(os.getpid()))
        self.beat_s = int(limit_us) / 2e6 if is_watched else None
        self._beaten_s = -math.inf
        self._told = ""

    def ready(self, status: str) -> None:
        """The start is complete."""
        self._told = status
        self._send("READY=1", _status(status))

    def status(self, status: str) -> None:
        """One line for `systemctl status`; sent if it is not the last one. Main loop only."""
        if status != self._told:
            self._told = status
            self._send(_status(status))

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1", _status("ending"))

    def beat(self) -> None:
        """The main loop runs. Without this call for `WatchdogSec=`, the service manager restarts the program.

        The thread of the main loop calls it as often as it likes: few calls send a message.
        """
        now_s = time.monotonic()
        if self.beat_s is not None and now_s - self._beaten_s >= self.beat_s / 2:
            self._beaten_s = now_s
            self._send("WATCHDOG=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """A reload, from entering to leaving. `Type=notify-reload` waits for its end."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self._send("READY=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # The first byte of an abstract address is written as @.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # A service manager that does not read must not stop the program.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(_SEND_S)
            sender.sendto("\n".join(lines).encode("utf-8", "backslashreplace"), address)


def _status(text: str) -> str:
    return f"STATUS={readable(text)}"
