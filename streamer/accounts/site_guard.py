"""The guard of a site, from its settings. The thread that starts the site, and that of `streamer check`, call it."""

from __future__ import annotations

from pathlib import Path

from streamer.accounts.account_store import AccountStore
from streamer.accounts.guard import Guard
from streamer.config.web import WebSettings
from streamer.errors import ConfigError
from streamer.web.address import Address, parse_address

SETTING = "web.address"
FILE = "accounts.db"


def accounts_file(settings: WebSettings, file: Path) -> Path:
    """The file of accounts: that of the settings, or the one beside the settings file of the site."""
    return settings.accounts or file.with_name(FILE)


def guard_of(settings: WebSettings, file: Path) -> Guard:
    """The guard of a site.

    Args:
        settings: of its page, which has an address.
        file: the settings file of the site.

    Raises:
        ConfigError: see `check_access`.
        AccountsError: the file of accounts cannot be read.
    """
    address = check_access(settings, file)
    return Guard(AccountStore(accounts_file(settings, file)), address, settings.hosts)


def check_access(settings: WebSettings, file: Path) -> Address:
    """The address of the page, which nobody can open without a login unless only this machine reaches it.

    Raises:
        ConfigError: the address is invalid, or other machines reach it and there are no users.
        AccountsError: the file of accounts cannot be read.
    """
    address = parse_address(settings.address or "", SETTING)
    accounts = accounts_file(settings, file)
    if (settings.hosts or not address.is_loopback) and not AccountStore(accounts).users():
        reached = f"{SETTING} {settings.address} is open to other machines"
        if address.is_loopback:
            reached = f"web.hosts {', '.join(settings.hosts)} opens the page to other machines"
        raise ConfigError(
            f"{reached}, and there are no users in {accounts}; add one with "
            f"'streamer user add NAME --accounts {accounts}'"
        )
    return address
