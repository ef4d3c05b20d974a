"""Logs users in: one password at a time is compared, on a thread of its own. Used by the thread of the web server."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from http import HTTPStatus

from streamer.accounts.account_store import AccountStore, new_secret
from streamer.accounts.errors import AccountsError, Refused
from streamer.accounts.passwords import is_outdated, matches, password_hash
from streamer.accounts.roles import User
from streamer.accounts.throttle import Throttle
from streamer.system.paths import readable
from streamer.system.threads import ThreadPool

log = logging.getLogger(__name__)

MOST_WAITING = 10
"""Logins that wait for the thread; each takes about 0.2 s."""


class Logins:
    """Compares passwords and begins sessions.

    Args:
        store: the users.
        now: Unix time, seconds.
        throttle: slows down guesses.
    """

    def __init__(self, store: AccountStore, now: Callable[[], float], throttle: Throttle | None = None) -> None:
        self._store = store
        self._now = now
        self._throttle = throttle or Throttle()
        self._pool = ThreadPool(1, "logins")
        self._waiting = 0

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(cancel_futures=True)

    async def begin(self, name: str, password: str, address: str) -> tuple[User, str]:
        """Begin a session.

        Args:
            name, password: as sent.
            address: of the client.

        Returns:
            The user, and the secret of its session.

        Raises:
            Refused: 401 if name or password are wrong, 429 after too many attempts, 503 if the file cannot be used.
        """
        wait_s = 1.0 if self._waiting >= MOST_WAITING else self._throttle.begin(name, address)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            headers = {"Retry-After": str(seconds)}
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, f"too many attempts; try again in {seconds} s", headers)
        self._waiting += 1
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, self._compare, name, password)
        except AccountsError as error:
            log.warning("login: %s", error)
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the accounts cannot be read; see the log") from error
        finally:
            self._waiting -= 1
        if found is None:
            log.warning("login: wrong name or password from %s", readable(address))
            raise Refused(HTTPStatus.UNAUTHORIZED, "wrong name or password")
        self._throttle.succeed(name, address)
        return found

    def _compare(self, name: str, password: str) -> tuple[User, str] | None:
        """On the thread that compares."""
        user, stored = self._store.password_of(name) or (None, None)
        if not matches(stored, password) or user is None or stored is None:
            return None
        if is_outdated(stored):
            self._store.set_password(user.name, password_hash(password), keeps_sessions=True)
        secret = new_secret()
        self._store.add_session(user.name, secret, self._now())
        return user, secret
