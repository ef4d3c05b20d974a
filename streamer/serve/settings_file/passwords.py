"""Settings without their passwords, and new settings in which the passwords are put back. Pure; any thread.

A password is shown as `***`, in an address as `rtsp://user:***@192.0.2.10/stream1`. Where `***` comes back, the
password that was there stays, if the host stays: who changes the host must write the password, so that nobody reads a
password by sending it to a host of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from streamer.errors import ConfigError
from streamer.system.secrets import HIDDEN, SECRETS, split_credentials, with_credentials

_SECRET_KEY = re.compile(r"(?:password|passwd|passphrase|pwd|secret|token|auth\w*|headers?|\w*key)", re.IGNORECASE)
_ADDRESSES = frozenset({"uri", "to"})
_PROXY = "http_proxy"
_PARAMETER = re.compile(r"([?&;#][^=&;#\s]*=)([^&;#\s]*)")

Path = tuple[str | int, ...]
Hosts = tuple[str | None, str | None]


def shown(settings: object, key: str = "") -> Any:
    """The settings with `***` for each password.

    Args:
        settings: values of YAML.
        key: of the value, which may say that it is a password.
    """
    if isinstance(settings, Mapping):
        return {str(name): shown(value, str(name)) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [shown(value, key) for value in settings]
    if not isinstance(settings, str) or not settings:
        return HIDDEN if settings and _SECRET_KEY.fullmatch(key) and not isinstance(settings, bool) else settings
    if "://" in settings:
        return _shown_address(settings)
    return HIDDEN if _SECRET_KEY.fullmatch(key) else SECRETS.hide(settings)


def remember(settings: object) -> None:
    """From now on no message has a password of the addresses in these settings."""
    for _, text in _texts(settings, ()):
        SECRETS.split(text)


def restored(settings: object, before: object, above: str) -> Any:
    """New settings in which each `***` is replaced by the password that it stands for.

    Args:
        settings: new values.
        before: the values with passwords.
        above: the path of the settings, for the error; it may be empty.

    Raises:
        ConfigError: `***` stands for no password, or for one of another host.
    """
    own, hosts, new_hosts = dict(_texts(before, ())), dict(_hosts(before, ())), dict(_hosts(settings, ()))
    anywhere = {_shown_at(path, text): text for path, text in own.items()}

    def restore(value: object, path: Path) -> Any:
        if isinstance(value, Mapping):
            return {key: restore(one, (*path, str(key))) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [restore(one, (*path, at)) for at, one in enumerate(value)]
        if not isinstance(value, str) or HIDDEN not in value:
            return value
        name = ".".join(filter(None, map(str, (above, *path))))
        known = anywhere.get(value) if "://" in value else None
        if known is not None:
            return known
        old = own.get(path)
        found = value if old is None else old if value == _shown_at(path, old) else _with_old_parts(value, old)
        if HIDDEN in found:
            raise ConfigError(f"{name}: *** stands for a password that is not known here; write the password")
        is_address = "://" in found
        if _at(hosts, path) != _at(new_hosts, path) or (is_address and old is not None and _host(old) != _host(found)):
            raise ConfigError(f"{name}: *** stands for a password of another host; write the password for this one")
        return found

    return restore(settings, ())


def _hosts(settings: object, path: Path) -> Iterator[tuple[Path, Hosts]]:
    """The hosts that get the passwords of a section with an address: its own, and a proxy (FFmpeg's `http_proxy`)."""
    if isinstance(settings, Mapping):
        options = settings.get("options")
        proxy = options.get(_PROXY) if isinstance(options, Mapping) else None
        for key in _ADDRESSES & settings.keys():
            yield path, (_host(settings[key]), _host(proxy))
        for key, value in settings.items():
            yield from _hosts(value, (*path, str(key)))
    elif isinstance(settings, list | tuple):
        for at, value in enumerate(settings):
            yield from _hosts(value, (*path, at))


def _at(hosts: Mapping[Path, Hosts], path: Path) -> Hosts | None:
    """Those of the nearest section above a setting."""
    above = (path[:count] for count in range(len(path), -1, -1))
    return next((hosts[one] for one in above if one in hosts), None)


def _host(address: object) -> str | None:
    if not isinstance(address, str):
        return None
    try:
        return urlsplit(split_credentials(address)[0]).hostname
    except ValueError:
        return address


def _shown_at(path: Path, text: str) -> str:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return str(shown(text, key))


def _texts(settings: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _texts(value, (*path, str(key)))
    elif isinstance(settings, list | tuple):
        for at, value in enumerate(settings):
            yield from _texts(value, (*path, at))
    elif isinstance(settings, str):
        yield path, settings
    elif settings is not None and not isinstance(settings, bool):
        yield path, str(settings)  # a password of digits


def _shown_address(text: str) -> str:
    """An address with its user, and `***` for its password and for tokens."""
    address, user, password = split_credentials(text)
    scheme, _, rest = SECRETS.hide(address).partition("://")
    if not password:
        return f"{scheme}://{quote(user, safe='')}@{rest}" if user else f"{scheme}://{rest}"
    return f"{scheme}://{quote(user, safe='')}:{HIDDEN}@{rest}"


def _with_old_parts(text: str, old: str) -> str:
    """A new address with the old password and the old tokens where it has `***`."""
    if "://" not in text or "://" not in old:
        return text
    address, user, password = split_credentials(text)
    old_address, _, old_password = split_credentials(old)
    if password == HIDDEN and old_password:
        text = with_credentials(address, user, old_password)
    tokens: dict[str, str] = dict(_PARAMETER.findall(old_address))

    def replace(match: re.Match[str]) -> str:
        name, value = match.groups(default="")
        return name + (tokens.get(name, value) if value == HIDDEN else value)

    return _PARAMETER.sub(replace, text)
