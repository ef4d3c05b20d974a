"""What the settings of a site say of access to its page: users, HTTPS. The thread that starts or checks the site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.accounts.account_store import AccountStore
from streamer.config.web import WebSettings
from streamer.errors import ConfigError
from streamer.web.address import Address, parse_address

if TYPE_CHECKING:
    from streamer.accounts.guard import Guard
    from streamer.web.tls import Tls

SETTING = "web.address"
FILE = "accounts.db"


def accounts_file(settings: WebSettings, file: Path) -> Path:
    """The file of accounts: that of the settings, or the one beside the settings file of the site."""
    return settings.accounts or file.with_name(FILE)


def check_access(settings: WebSettings, file: Path) -> None:
    """Check that other machines cannot open the page without a login, and the certificate of the settings.

    Args:
        settings: of the page.
        file: the settings file of the site.

    Raises:
        ConfigError: the address is invalid, other machines reach it and there are no users, or the certificate cannot
            be used.
        AccountsError: the file of accounts cannot be read.
    """
    if settings.address is None:
        return
    address, accounts = page_address(settings), accounts_file(settings, file)
    if (settings.hosts or not address.is_loopback) and not AccountStore(accounts).users():
        is_open = f"{SETTING} {settings.address} is open to other machines"
        if address.is_loopback:
            is_open = f"web.hosts ({', '.join(settings.hosts)}) is for users on other machines"
        remedy = f"add one with 'streamer user add NAME --accounts {accounts}'"
        raise ConfigError(f"{is_open}, and there are no users yet; {remedy}, or serve this machine only (127.0.0.1)")
    if settings.certificate is not None:
        tls_of(settings, file)


def page_address(settings: WebSettings) -> Address:
    """The address of the page. Raises ConfigError: it is invalid."""
    return parse_address(settings.address or "", SETTING)


def guard_of(settings: WebSettings, file: Path) -> Guard:
    """The guard of a site.

    Raises:
        ConfigError: as `check_access`, and if the file of accounts cannot be written.
        AccountsError: as `check_access`.
    """
    from streamer.accounts.guard import Guard  # imports aiohttp, which takes 0.1 s

    check_access(settings, file)
    store = AccountStore(accounts_file(settings, file))
    if store.users() and not all(os.access(one, os.W_OK) for one in (store.path, store.path.parent)):
        remedy = "name a file in a folder that this program may write: web.accounts"
        raise ConfigError(f"{store.path} cannot be written, so nobody can log in; {remedy}")
    return Guard(store, page_address(settings), settings.hosts)


def tls_of(settings: WebSettings, file: Path) -> Tls | None:
    """HTTPS for the page; None without. A certificate that the program makes is beside the accounts.

    Raises:
        ConfigError: the certificate cannot be used, or none can be made.
    """
    if settings.tls is None and settings.certificate is None:
        return None
    from streamer.web.tls import automatic_tls, own_tls  # imports cryptography

    if settings.certificate is not None and settings.key is not None:
        return own_tls(settings.certificate, settings.key)
    return automatic_tls(accounts_file(settings, file).parent, [page_address(settings).host, *settings.hosts])
