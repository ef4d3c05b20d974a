"""Slows down guesses of passwords: waits that grow with each failure, by user and by address. One thread.

An attempt counts as a failure from its begin, so attempts side by side do not get more guesses. The counts of a user
are cleared when the password is right. Unknown users are counted like others.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_COUNTS = 10_000
"""The oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How failures of one kind slow down the next attempt.

    Attributes:
        free: so many failures cost nothing.
        longest_s: the wait doubles from 1 s up to this.
    """

    free: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """The wait after so many failures."""
        return 0.0 if failures < self.free else float(min(2.0 ** min(failures - self.free, 30), self.longest_s))


BOTH, USER, ADDRESS = Limit(4, 300.0), Limit(10, 30.0), Limit(20, 60.0)
"""For a user from an address; for a user from anywhere; for an address. Somebody else can provoke the last two."""
FORGOTTEN_S = 1800.0
"""Failures are forgotten after this time without another one."""


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last_s: float = -math.inf


class Throttle:
    """Counts failed logins.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Begin an attempt.

        Args:
            name: of the user, as sent.
            address: of the client.

        Returns:
            0 if it may go on; else the seconds to wait, and the attempt does not count.
        """
        now_s, keys = self._clock(), self._keys(name, address)
        counts = [(self._count(key, now_s), limit) for key, limit in keys]
        wait_s = max(count.last_s + limit.wait_s(count.failures) - now_s for count, limit in counts)
        if wait_s > 0:
            return wait_s
        for count, _ in counts:
            count.failures, count.last_s = count.failures + 1, now_s
        return 0.0

    def succeed(self, name: str, address: str) -> None:
        """The password was right."""
        for key, _ in self._keys(name, address)[:2]:
            self._counts.pop(key, None)
        count = self._counts.get(("", network_of(address)))
        if count is not None:
            count.failures = max(count.failures - 1, 0)

    @staticmethod
    def _keys(name: str, address: str) -> list[tuple[tuple[str, str], Limit]]:
        user, network = name.casefold(), network_of(address)
        return [((user, network), BOTH), ((user, ""), USER), (("", network), ADDRESS)]

    def _count(self, key: tuple[str, str], now_s: float) -> _Count:
        count = self._counts.get(key)
        if count is None or now_s - count.last_s > FORGOTTEN_S:
            count = self._counts[key] = _Count()
        self._counts.move_to_end(key)
        while len(self._counts) > MOST_COUNTS:
            self._counts.popitem(last=False)
        return count


def network_of(address: str) -> str:
    """What one client has of addresses: an IPv4 address, or a /64 of IPv6 (RFC 6177)."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if number.version == 6 and number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return str(ipaddress.ip_network((number, 64), strict=False)) if number.version == 6 else str(number)
