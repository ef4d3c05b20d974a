"""The login of a server of models: Basic (RFC 7617) or a bearer token (RFC 6750). Used by one detector thread.

A password or token is remembered, so that no message contains it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from streamer.config.detector import RemoteSettings
from streamer.detectors.kserve.address import ModelAddress
from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS


class Login:
    """The `Authorization` header of requests.

    Args:
        address: its login goes before that of the settings.
        settings: user, password and token.

    Raises:
        ConfigError: both a user and a token are given, or a file cannot be read.
    """

    def __init__(self, address: ModelAddress, settings: RemoteSettings) -> None:
        self._address, self._settings = address, settings
        self._headers: Mapping[str, str] = {}
        self.read()

    def headers(self) -> Mapping[str, str]:
        """The header; none without a login."""
        return self._headers

    def read(self) -> None:
        """Read the files again. Raises as the class does."""
        user, password = self._settings.login()
        if self._address.user or self._address.password:
            user, password = self._address.user, self._address.password
        token = self._settings.token()
        if token and (user or password):
            raise ConfigError("a server gets a login or a token, not both: see detector.remote.user and token_file")
        SECRETS.remember(password, user)
        SECRETS.remember(token)
        if token:
            self._headers = {"Authorization": f"Bearer {_header_text(token)}"}
        elif user or password:
            basic = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode()
            self._headers = {"Authorization": f"Basic {basic}"}


def _header_text(token: str) -> str:
    if not token.isascii() or not token.isprintable() or token != token.strip():
        raise ConfigError("the token of the server has characters that no token has; see detector.remote.token_file")
    return token
