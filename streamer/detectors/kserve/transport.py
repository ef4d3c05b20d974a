"""The connections of `requests`, whose sockets obey a `TimeLimit`.

Imported when a connection is made, because `requests` takes 0.1 s.
"""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from streamer.config.detector import RemoteSettings
from streamer.detectors.kserve.address import ModelAddress
from streamer.detectors.remote.time_limit import LimitedSocket, TimeLimit
from streamer.errors import ConfigError
from streamer.network import certificates


def tls_context(address: ModelAddress, settings: RemoteSettings) -> ssl.SSLContext | None:
    """What checks the certificate of the server; None without TLS.

    Raises:
        ConfigError: the file of authorities cannot be read.
    """
    if not address.server.startswith("https:"):
        return None
    try:
        return certificates.context(None if settings.ca_file is None else str(settings.ca_file), verify=settings.verify)
    except OSError as error:  # also what has no certificate
        reason = "it has no certificate (PEM)" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"detector.remote.ca_file: cannot use {settings.ca_file}: {reason}") from error


class Transport(HTTPAdapter):
    """Makes the connections of a session.

    Args:
        limit: of every socket.
        context: of TLS; None without.
    """

    def __init__(self, limit: TimeLimit, context: ssl.SSLContext | None) -> None:
        self._limit, self._context = limit, context
        if context is not None:
            limit.limit(context)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """See `HTTPAdapter`."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """See `HTTPAdapter`."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = self._pools()
        return manager

    def cert_verify(self, *_arguments: Any, **_options: Any) -> None:
        """Nothing: the context checks the certificate."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """See `HTTPAdapter`; without its own context."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def _pools(self) -> dict[str, Any]:
        return {
            "http": partial(_pool, HTTPConnectionPool, _Plain, self._limit),
            "https": partial(_pool, HTTPSConnectionPool, _Tls, self._limit, ssl_context=self._context),
        }


class _Plain(HTTPConnection):
    limit: TimeLimit

    def _new_conn(self) -> LimitedSocket:
        return _connected(self)


class _Tls(HTTPSConnection):
    limit: TimeLimit

    def connect(self) -> None:
        super().connect()
        self.is_verified = True  # or the user accepts any certificate, and wants no warning of urllib3 about it

    def _new_conn(self) -> LimitedSocket:
        return _connected(self)


def _connected(connection: _Plain | _Tls) -> LimitedSocket:
    """A socket to the server or its proxy, with the errors of urllib3."""
    try:
        return connection.limit.connect(connection.host, connection.port)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, str(error)) from error
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error


def _pool(pool: Any, connection: Any, limit: TimeLimit, *arguments: Any, **options: Any) -> Any:
    made = pool(*arguments, **options)
    made.ConnectionCls = type(connection.__name__, (connection,), {"limit": limit})
    return made
