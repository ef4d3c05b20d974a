"""The guard beside a real server: what goes on after an answer, and a file that cannot be read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from streamer.accounts.account_store import AccountStore
from streamer.accounts.errors import Refused
from streamer.accounts.guard import FRESH_S, Guard
from streamer.accounts.roles import Access, Role, User
from streamer.web.address import Address
from streamer.web.server import WebPages
from tests.api.served import Client

WITHIN_S = 10.0


class Begun:
    """Something that a request begins, such as a connection of WebRTC."""

    def __init__(self) -> None:
        self.ended, self.is_open = threading.Event(), True


@contextmanager
def served(path: Path, address: Address, begun: Begun | None = None) -> Iterator[tuple[Client, AccountStore]]:
    """A server that says who asks, and lets the request begin something."""
    store = AccountStore(path)
    with Guard(store, address) as guard:

        async def who(request: web.Request) -> web.Response:
            try:
                user = await guard.admit(request, Access.VIEWER)
            except Refused as refused:
                return web.Response(status=refused.status, text=refused.detail)
            if begun is not None:
                guard.follow(request, Access.VIEWER, begun.ended.set, lambda: begun.is_open)
            return web.Response(text="" if user is None else user.name)

        with WebPages("a page", "127.0.0.1", 0, [web.get("/", who)]) as pages:
            yield Client(pages.address), store


def ask(client: Client, **headers: str) -> tuple[int, str]:
    answer = client("GET", "/", None, base="", **headers)
    return answer.status, answer.content.decode()


def logged_in(client: Client, store: AccountStore) -> str:
    store.add(User("anna", Role.ADMIN), "hash", time.time())
    store.add_session("anna", "secret", time.time())
    return f"streamer-{client.address[1]}=secret"


def test_what_goes_on_after_an_answer_ends_with_the_login(tmp_path: Path) -> None:
    begun = Begun()
    with served(tmp_path / "accounts.db", Address("", 0), begun) as (client, store):
        assert ask(client, Cookie=logged_in(client, store)) == (200, "anna")
        store.end_session("secret")
        assert begun.ended.wait(WITHIN_S)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["gone", "empty"])
def test_a_site_that_loses_its_users_is_open_to_nobody(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    with served(tmp_path / "accounts.db", Address("", 0)) as (client, store):
        assert ask(client) == (200, "")
        cookie = logged_in(client, store)
        assert ask(client, Cookie=cookie)[0] == 200
        content = store.path.read_bytes()
        damage(store.path)
        time.sleep(FRESH_S)
        assert ask(client) == ask(client, Cookie=cookie) == (503, "the accounts cannot be read; see the log")
        store.path.write_bytes(content)
        assert ask(client, Cookie=cookie)[0] == 200
        store.remove("anna")
        time.sleep(FRESH_S)
        assert ask(client) == (200, "")


def test_an_end_that_fails_does_not_keep_others_open(tmp_path: Path) -> None:
    begun = Begun()
    with served(tmp_path / "accounts.db", Address("", 0), begun) as (client, store):
        cookie, end = logged_in(client, store), begun.ended.set
        begun.ended.set = None  # type: ignore[assignment,method-assign] # a call of it fails
        assert ask(client, Cookie=cookie)[0] == 200
        begun.ended.set = end  # type: ignore[method-assign]
        assert ask(client, Cookie=cookie)[0] == 200
        store.end_session("secret")
        assert begun.ended.wait(WITHIN_S)


def test_what_has_ended_by_itself_is_forgotten(tmp_path: Path) -> None:
    begun = Begun()
    with served(tmp_path / "accounts.db", Address("", 0), begun) as (client, store):
        cookie = logged_in(client, store)
        assert ask(client, Cookie=cookie) == (200, "anna")
        begun.is_open = False
        store.end_session("secret")
        ends_s = time.monotonic() + WITHIN_S
        while ask(client, Cookie=cookie)[0] != 401:
            assert time.monotonic() < ends_s
        assert not begun.ended.is_set()


def test_beyond_loopback_nobody_is_let_in_without_a_user(tmp_path: Path) -> None:
    """The last user of a running site is removed."""
    with served(tmp_path / "accounts.db", Address("0.0.0.0", 0)) as (client, _):
        assert ask(client) == (401, "log in first")


def test_nobody_is_let_in_while_the_accounts_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    with served(path, Address("", 0)) as (client, store):
        cookie = logged_in(client, store)
        path.write_bytes(b"damaged " * 1000)
        for headers in ({}, {"Cookie": cookie}, {"Authorization": "Bearer x"}):
            assert ask(client, **headers) == (503, "the accounts cannot be read; see the log")
