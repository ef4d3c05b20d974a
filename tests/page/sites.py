"""The page of a site with users, in this process, and clients that are logged in."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from streamer.accounts.account_store import AccountStore, new_secret
from streamer.accounts.passwords import password_hash
from streamer.accounts.roles import Role, User
from streamer.accounts.site_access import guard_of, tls_of
from streamer.api.context import ApiContext
from streamer.broadcast.broadcasts import Broadcasts
from streamer.browser_camera.sessions import BrowserCameras
from streamer.page.site_page import SitePage
from streamer.serve.settings_file.settings_file import SettingsFile
from streamer.serve.site import Site
from streamer.serve.status import CameraStatus
from tests.api.served import Answer, Client

PASSWORD = "correct horse battery"
ADMIN, VIEWER = User("anna", Role.ADMIN), User("otto", Role.VIEWER)
JSON = {"Content_Type": "application/json"}


@functools.cache
def hash_of_password() -> str:
    """The hash of `PASSWORD`; it takes long, so all tests share it."""
    return password_hash(PASSWORD)


def accounts_with(path: Path, *users: User) -> AccountStore:
    """A file with users, all with the password `PASSWORD`."""
    store = AccountStore(path)
    for user in users:
        store.add(user, hash_of_password(), time.time())
    return store


class _Silent:
    def message(self, name: str, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def refresh(self, cameras: Sequence[CameraStatus]) -> None: ...


@dataclass(frozen=True)
class ServedSite:
    """A site whose page is served; its cameras do not run."""

    page: SitePage
    context: ApiContext
    store: AccountStore

    @property
    def client(self) -> Client:
        """Sends requests without a login."""
        return Client(self.page.address)

    @property
    def cookie_name(self) -> str:
        return f"streamer-{self.page.address[1]}"

    def log_in(self, name: str, password: str = PASSWORD, **headers: str) -> Answer:
        """The answer to a login."""
        return self.client.send("POST", "/session", {"name": name, "password": password}, **headers)

    def cookie(self, name: str) -> str:
        """The value of `Cookie` of a user with a new session, which costs no hash."""
        secret = new_secret()
        self.store.add_session(name, secret, time.time())
        return f"{self.cookie_name}={secret}"


def secret_of(answer: Answer) -> str:
    """The secret of a session, from the answer to its login."""
    (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    return cookie.value


def user_of(answer: Answer) -> Any:
    """The name of the user that an answer of `/session` has; None without one."""
    user = json.loads(answer.content)["user"]
    return None if user is None else user["name"]


@contextmanager
def served_site(folder: Path, *users: User, cameras: Sequence[str] = (), **web: Any) -> Iterator[ServedSite]:
    """Serve the page of a site on a free port.

    Args:
        folder: of its files.
        users: that it has.
        cameras: their names; `context.broadcasts` shows what a test gives it.
        web: settings of its page.
    """
    content = {"web": {"address": "127.0.0.1:0", **web}, "cameras": dict.fromkeys(cameras, "lavfi:testsrc2")}
    file = SettingsFile(folder / "site.yaml")
    file.path.write_text(json.dumps(content), encoding="utf-8")
    store = accounts_with(folder / "accounts.db", *users)
    settings = file.load()
    broadcasts = Broadcasts(settings.web.live)
    site = Site(settings, file.load, _Silent(), viewers=broadcasts)
    with guard_of(settings.web, file.path) as guard:
        webcams = BrowserCameras(site, settings.web, broadcasts.viewers)
        context = ApiContext(site, broadcasts, settings.web, file, guard, webcams)
        with SitePage(context, tls_of(settings.web, file.path)) as page:
            yield ServedSite(page, context, store)
