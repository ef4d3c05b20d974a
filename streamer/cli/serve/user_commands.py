"""The commands of the group `user`: who may use the page of a site. A running site sees a change within a second."""

from __future__ import annotations

import getpass
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.command import command
from streamer.cli.options import flag, value
from streamer.errors import ConfigError
from streamer.system.suggestions import nearest

if TYPE_CHECKING:
    from rich.table import Table

    from streamer.accounts.account_store import AccountStore

DAY_S = 86_400.0


class RoleName(StrEnum):
    """What a user may do."""

    viewer = "viewer"
    admin = "admin"


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.", show_default=False)]
Config = Annotated[
    Path | None,
    value("--config", "FILE", "Settings file of the site.", default="that of 'serve' without --config"),
]
Accounts = Annotated[
    Path | None, value("--accounts", "FILE", "File of the accounts.", default="that of the settings file")
]
FromInput = Annotated[bool, flag("--password-stdin", "Read the password from standard input, one line.")]


def add(
    name: Name,
    role: Annotated[
        RoleName | None,
        value("--role", "viewer|admin", "A viewer changes nothing.", default="admin for the first user, else viewer"),
    ] = None,
    password_stdin: FromInput = False,
    config: Config = None,
    accounts: Accounts = None,
) -> None:
    """Add a user. The password is asked for."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.accounts.passwords import check_name, password_hash
        from streamer.accounts.roles import Role, User

        store = _store(config, accounts)
        check_name(name)
        users = store.users()
        if any(user.name.lower() == name.lower() for user in users):
            raise ConfigError(f"there is a user {name!r} already; 'streamer user passwd' changes the password")
        chosen = Role(role.value) if role else Role.VIEWER if users else Role.ADMIN
        password = _new_password(name, from_input=password_stdin)
        store.add(User(name, chosen), password_hash(password), time.time())
        terminal.line(f"added {name} ({chosen}) to {store.path}")
        if not any(user.role is Role.ADMIN for user in store.users()):
            terminal.line("no user is an admin, so nobody can change the site on its page; add one with --role admin")


def passwd(name: Name, password_stdin: FromInput = False, config: Config = None, accounts: Accounts = None) -> None:
    """Change the password of a user, and end its sessions. Its tokens stay."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.accounts.passwords import password_hash

        store = _store(config, accounts)
        name = _known(store, name)
        password = _new_password(name, from_input=password_stdin)
        if not store.set_password(name, password_hash(password)):
            raise ConfigError(f"no user {name!r}")
        terminal.line(f"changed the password of {name}; sessions of {name} end now")


def remove(name: Name, config: Config = None, accounts: Accounts = None) -> None:
    """Remove a user, and end its sessions and tokens."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.accounts.roles import Role

        store = _store(config, accounts)
        name = _known(store, name)
        store.remove(name)
        terminal.line(f"removed {name}; its sessions and tokens end now")
        users = store.users()
        if not users:
            terminal.line("there are no users now: everybody on this machine can use a page that it serves to itself")
        elif not any(user.role is Role.ADMIN for user in users):
            terminal.line("no user is an admin now; add one with 'streamer user add NAME --role admin'")


def list_users(
    as_json: Annotated[bool, flag("--json", "Print JSON.")] = False,
    config: Config = None,
    accounts: Accounts = None,
) -> None:
    """List the users with their roles and tokens."""
    with command(prints=True, has_options=False) as (terminal, _):
        store = _store(config, accounts)
        users = store.users()
        if as_json:
            terminal.json([_to_dict(store, user.name, user.role) for user in users])
        elif users:
            terminal.table(_table(store))
        else:
            terminal.line(f"no users in {store.path}; 'streamer user add NAME' adds one")


def token(
    name: Name,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What the token is for.", show_default=False)],
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=1, max=36_500, help="It expires after N days.")
    ] = None,
    revoke: Annotated[bool, flag("--revoke", "End this token.")] = False,
    config: Config = None,
    accounts: Accounts = None,
) -> None:
    """Print a new token, by which another program uses the API as this user."""
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.accounts.account_store import Token, new_token
        from streamer.accounts.passwords import check_name

        store = _store(config, accounts)
        name = _known(store, name)
        if revoke:
            labels = [one.label for one in store.tokens(name)]
            if not store.revoke(name, label):
                raise ConfigError(f"{name} has no token {label!r}{nearest(label, labels)}")
            terminal.line(f"revoked the token {label} of {name}")
            return
        check_name(label, "label")
        secret, now_s = new_token(), time.time()
        store.add_token(name, Token(label, now_s, None if days is None else now_s + days * DAY_S), secret)
        terminal.message("send it as 'Authorization: Bearer TOKEN'; it is not shown again")
        terminal.line(secret)


def _store(config: Path | None, accounts: Path | None) -> AccountStore:
    """The accounts that are meant.

    Raises:
        ConfigError: both are given, or the settings file is invalid.
    """
    from streamer.accounts.account_store import AccountStore
    from streamer.accounts.site_access import accounts_file
    from streamer.cli.serve.command import default_file
    from streamer.config.loading import load_site

    if accounts is not None:
        if config is not None:
            raise ConfigError("--config and --accounts name two files of accounts; give one of them")
        return AccountStore(accounts)
    file = config or default_file()
    site = load_site(file if config is not None or file.exists() else None)
    return AccountStore(accounts_file(site.web, file))


def _known(store: AccountStore, name: str) -> str:
    """The name of a user as it was added.

    Raises:
        ConfigError: there is no such user.
    """
    names = [user.name for user in store.users()]
    for one in names:
        if one.lower() == name.lower():
            return one
    raise ConfigError(f"no user {name!r} in {store.path}{nearest(name, names)}")


def _new_password(name: str, *, from_input: bool) -> str:
    """A password that the user chooses, typed twice or from standard input.

    Raises:
        ConfigError: it is unfit, there is no terminal, or the second differs.
    """
    from streamer.accounts.passwords import check_new
    from streamer.system.secrets import SECRETS

    if not from_input and not sys.stdin.isatty():
        raise ConfigError("there is no terminal to type a password; give it with --password-stdin")
    password = sys.stdin.readline().rstrip("\r\n") if from_input else getpass.getpass(f"New password of {name}: ")
    SECRETS.remember(password)
    check_new(password, name)
    if not from_input and getpass.getpass("The same again: ") != password:
        raise ConfigError("the two passwords differ; nothing is changed")
    return password


def _to_dict(store: AccountStore, name: str, role: str) -> dict[str, Any]:
    tokens = [
        {"label": one.label, "created": _utc(one.created_s), "expires": _utc(one.expires_s)}
        for one in store.tokens(name)
    ]
    return {"name": name, "role": str(role), "tokens": tokens}


def _utc(time_s: float | None) -> str | None:
    from datetime import UTC, datetime

    return None if time_s is None else datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")


def _table(store: AccountStore) -> Table:
    from rich.table import Table

    rows = Table(box=None, pad_edge=False)
    for column in ("user", "role", "tokens"):
        rows.add_column(column, overflow="fold")
    for user in store.users():
        labels = [f"{one.label}{_until(one.expires_s)}" for one in store.tokens(user.name)]
        rows.add_row(user.name, user.role, ", ".join(labels))
    return rows


def _until(expires_s: float | None) -> str:
    if expires_s is None:
        return ""
    if expires_s <= time.time():
        return " (expired)"
    return f" (until {time.strftime('%Y-%m-%d', time.localtime(expires_s))})"
