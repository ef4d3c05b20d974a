"""Who sends a request, and whether it is answered. On the thread of the web server.

The file of accounts is read on a thread of its own; a user that was found is kept for `FRESH_S`. Responses that last,
such as WebSockets, are ended when their login ends: logins are looked up every `FRESH_S`, because the command line
changes the file from another process.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import NamedTuple, Self

from aiohttp import web

from streamer.accounts.account_store import AccountStore
from streamer.accounts.client import Credential, address_of, credential_of, host_of
from streamer.accounts.errors import Refused
from streamer.accounts.logins import Logins
from streamer.accounts.origin import Names
from streamer.accounts.roles import LOCAL, Access, User
from streamer.errors import StreamerError
from streamer.system.threads import ThreadPool
from streamer.web.address import Address

log = logging.getLogger(__name__)

FRESH_S = 1.0
"""How long a login is taken as valid without looking it up again."""
MOST_KEPT = 1000
_BEARER = {"WWW-Authenticate": "Bearer"}


class _Watch(NamedTuple):
    """Something that ends with a login."""

    credential: Credential
    access: Access
    end: Callable[[], object]
    is_open: Callable[[], bool] = lambda: True


class Guard:
    """Knows the user of a request, and refuses requests. Leave it after the server.

    While there are no users, everybody who reaches a server on loopback is the administrator `LOCAL`.

    Args:
        store: the users.
        address: that the server listens on.
        hosts: further names of the site; with any, a login is needed.
        now: Unix time, seconds.
    """

    def __init__(
        self, store: AccountStore, address: Address, hosts: Iterable[str] = (), *, now: Callable[[], float] = time.time
    ) -> None:
        hosts = tuple(hosts)
        self._store = store
        self._is_local = address.is_loopback and not hosts
        self._names = Names(address, hosts)
        self._now = now
        self._reads = ThreadPool(1, "accounts")
        self._logins = Logins(store, now)
        self._had_users = False  # of the thread that reads
        self._found: dict[Credential, tuple[User, float]] = {}
        self._watches: dict[object, _Watch] = {}
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._reads.shutdown(cancel_futures=True)
        self._logins.close()

    def check_host(self, request: web.Request) -> None:
        """Raises Refused (421): the browser opened the page under a name that is not one of the site."""
        host = host_of(request)
        if not self._names.know(host):
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this site has no name {host[:100]!r}; open it by its address, or add the name to web.hosts",
            )

    async def admit(self, request: web.Request, access: Access) -> User | None:
        """The user of a request that may go on; None if nobody is logged in.

        Args:
            request: of the client.
            access: who may send it.

        Raises:
            Refused: 401 if a login is needed or has ended, 403 if the user may not do this or the page of another site
                sent the request, 421 for a name that is not one of the site, 503 if the accounts cannot be read.
        """
        self.check_host(request)
        if not self._names.allow(request.method, request.headers):
            raise Refused(HTTPStatus.FORBIDDEN, "the page of another site sent this request")
        credential = credential_of(request)
        user = await self._user(credential)
        if access.allows(user):
            return user
        if user is not None:
            raise Refused(HTTPStatus.FORBIDDEN, f"only a user with the role {access.value} may do this")
        why = "log in first"
        if credential.secret:
            why = "this token is not valid" if credential.is_token else "the session has ended; log in again"
        raise Refused(HTTPStatus.UNAUTHORIZED, why, _BEARER)

    async def login_required(self) -> bool:
        """Whether nobody is let in without a login. Raises Refused as `admit`."""
        return await self._user(Credential()) is None

    async def log_in(self, request: web.Request, name: str, password: str) -> tuple[User, str]:
        """The user, and the secret of a new session. The session that the request has ends.

        Raises:
            Refused: 401 if name or password are wrong, 429 after too many attempts.
        """
        found = await self._logins.begin(name, password, address_of(request))
        await self.log_out(request)
        return found

    async def log_out(self, request: web.Request) -> None:
        """End the session of a request, with everything that was begun with it."""
        credential = credential_of(request)
        if credential.secret and not credential.is_token:
            await self._read(self._store.end_session, credential.secret)
            self._found.pop(credential, None)
            await self._end_invalid()

    @contextmanager
    def watch(self, request: web.Request, access: Access, end: Callable[[], object]) -> Iterator[None]:
        """Meanwhile: call `end` once, on this thread, when the login of a request ends.

        Args:
            request: one that was admitted.
            access: who may send it.
            end: ends the answer to the request, such as a WebSocket; it does not wait.
        """
        key = self._add(_Watch(credential_of(request), access, end))
        try:
            yield
        finally:
            self._watches.pop(key, None)

    def follow(
        self, request: web.Request, access: Access, end: Callable[[], object], is_open: Callable[[], bool]
    ) -> None:
        """The same for something that a request begins and that goes on after its answer, while `is_open` says so."""
        self._add(_Watch(credential_of(request), access, end, is_open))

    def _add(self, watch: _Watch) -> object:
        key = object()
        self._watches[key] = watch
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        return key

    async def _watch(self) -> None:
        try:
            while self._watches:
                await asyncio.sleep(FRESH_S)  # SQLite does not tell other processes of a change
                await self._end_invalid()
        finally:
            self._watching = None

    async def _end_invalid(self) -> None:
        for key, watch in list(self._watches.items()):
            if not watch.is_open():
                self._watches.pop(key, None)
                continue
            try:
                is_valid = watch.access.allows(await self._user(watch.credential))
            except Refused:  # the file cannot be read now
                continue
            if not is_valid and self._watches.pop(key, None) is not None:
                try:
                    watch.end()
                except Exception:  # the others must end, too
                    log.exception("login: what has ended with its login goes on")

    async def _user(self, credential: Credential) -> User | None:
        user, until_s = self._found.get(credential, (None, -math.inf))
        if user is not None and time.monotonic() < until_s:
            return user
        user = await self._read(self._look_up, credential)
        if len(self._found) >= MOST_KEPT:
            self._found.clear()
        self._found.pop(credential, None)
        if user is not None:
            self._found[credential] = user, time.monotonic() + FRESH_S
        return user

    def _look_up(self, credential: Credential) -> User | None:
        """On the thread that reads. Without its file, a site that had users is open to nobody."""
        if self._had_users:
            self._store.require_file()
        self._had_users = self._had_users or bool(self._store.users())
        if credential.secret:
            find = self._store.token if credential.is_token else self._store.session
            return find(credential.secret, self._now())
        if not self._is_local or credential.is_forwarded:
            return None
        return None if self._store.users() else LOCAL

    async def _read(self, function: Callable[..., User | None], *arguments: object) -> User | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reads, function, *arguments)
        except StreamerError as error:
            log.warning("login: %s", error)
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the accounts cannot be read; see the log") from error
