"""The broker of a target: its settings, with the secrets and certificates that they name. Immutable; any thread."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Self

from streamer.errors import ConfigError
from streamer.network import certificates
from streamer.network.secret_references import resolved
from streamer.notify.mqtt.settings import MqttSettings, TlsSettings


@dataclass(frozen=True, slots=True)
class Broker:
    """See the module.

    Attributes:
        settings: of the target.
        path: of the settings, for messages.
        password: the secret itself; empty for none.
        tls: of the connection; None without TLS.
    """

    settings: MqttSettings
    path: str
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    @classmethod
    def from_settings(cls, settings: MqttSettings, path: str) -> Self:
        """Read the password and the certificates.

        Raises:
            ConfigError: one of them cannot be read.
        """
        password = resolved(settings.password, f"{path}.password")
        tls = _context(settings.tls, f"{path}.tls") if settings.uses_tls else None
        return cls(settings, path, password, tls)

    def __str__(self) -> str:
        return self.settings.url


def _context(settings: TlsSettings, path: str) -> ssl.SSLContext:
    setting, file = "ca_file", settings.ca_file
    try:
        context = certificates.context(None if file is None else str(file), verify=settings.verify)
        if settings.certificate is not None:
            setting, file = "certificate", settings.certificate
            context.load_cert_chain(settings.certificate, settings.key, password="")
    except (OSError, ValueError) as error:
        is_missing = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)
        reason = error.strerror if is_missing and isinstance(error, OSError) else "no usable certificate (PEM)"
        raise ConfigError(f"{path}.{setting}: cannot use {file}: {reason}") from error
    return context
