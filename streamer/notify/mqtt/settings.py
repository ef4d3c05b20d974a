"""Settings of a target that publishes to an MQTT broker. Any thread may read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from streamer.config.notify import TargetSettings
from streamer.config.section import Section
from streamer.network.secret_references import SecretText
from streamer.system.secrets import SECRETS, split_credentials

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""Default ports of the schemes, as registered with IANA."""
_EXAMPLE = "such as mqtt://192.168.1.2, or mqtts://broker.example.com:8883 for TLS"


class TlsSettings(Section):
    """The certificates of a connection to `mqtts://`."""

    ca_file: Path | None = None
    """PEM file of the authorities that may sign the broker's certificate; null: those of the system."""
    certificate: Path | None = None
    """PEM file of this program's own certificate, if the broker asks for one."""
    key: Path | None = None
    """PEM file of its private key, without a passphrase; null: it is in the file `certificate`."""
    verify: bool = True
    """Check the broker's certificate. Without this anyone on the network can read and change messages."""

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("a key needs its certificate")
        return self


class HomeAssistantSettings(Section):
    """Home Assistant finds the cameras by itself (MQTT device discovery)."""

    enabled: bool = True
    prefix: str = "homeassistant"
    """The discovery prefix in the options of Home Assistant's MQTT integration."""
    birth_topic: str = "homeassistant/status"
    """Where Home Assistant says that it has started: everything is announced again then."""

    @field_validator("prefix", "birth_topic")
    @classmethod
    def _is_topic(cls, value: str) -> str:
        return _checked_topic(value)


class MqttSettings(TargetSettings):
    """An MQTT broker, such as Mosquitto."""

    url: str
    """`mqtt://HOST[:PORT]`, or `mqtts://HOST[:PORT]` for TLS."""
    version: Literal["5", "3.1.1"] = "5"
    """Of the protocol."""
    user: str = ""
    password: SecretText = ""
    """`${NAME}`, a variable of the environment, or `${file:PATH}`."""
    client_id: str = ""
    """Name of this client at the broker; empty: a new one for each connection."""
    topic: str = "streamer"
    """What all topics begin with. Two programs at one broker need different ones."""
    keepalive_s: int = Field(default=30, ge=5, le=3600)
    """A broker that does not answer for so long is disconnected."""
    longest_wait_s: float = Field(default=15.0, ge=0.5)
    """Longest wait between two attempts; a broker in the house is asked more often than a server elsewhere."""
    tls: TlsSettings = TlsSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()

    @model_validator(mode="before")
    @classmethod
    def _has_an_address(cls, values: Any) -> Any:
        """Other programs have settings `host` and `port`, or files for passwords."""
        if isinstance(values, dict) and "url" not in values and ("host" in values or "port" in values):
            host, port = values.get("host", "HOST"), values.get("port", 1883)
            raise ValueError(f"no settings host and port; give url: mqtt://{host}:{port}")
        if isinstance(values, dict) and "password_file" in values:
            raise ValueError("no setting password_file; give password: ${file:PATH}")
        return values

    @field_validator("version", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("url")
    @classmethod
    def _is_broker(cls, value: str) -> str:
        address, user, password = split_credentials(value)
        if user or password:
            SECRETS.split(value)
            raise ValueError("the address has a login; give it in user and password")
        if "://" not in value:
            raise ValueError(f"give a scheme, {_EXAMPLE}")
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port is a number from 1 to 65535") from None
        if parts.scheme not in PORTS or not parts.hostname or port == 0:
            raise ValueError(f"this is no address of a broker, {_EXAMPLE}")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("a broker has no path; set topic")
        return value

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, value: str) -> str:
        return _checked_topic(value)

    @model_validator(mode="after")
    def _tls_is_used(self) -> Self:
        if self.tls != TlsSettings() and not self.uses_tls:
            raise ValueError("tls has no effect with mqtt://; write mqtts:// in url")
        return self

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def host(self) -> str:
        """Name or number of the broker."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Of the broker."""
        parts = urlsplit(self.url)
        return parts.port or PORTS[parts.scheme]


def _checked_topic(value: str) -> str:
    if any(character in value for character in "+#\0") or not all(value.split("/")) or value.startswith("$"):
        raise ValueError("a topic has no +, no #, no empty level and no $ at its begin, such as home/streamer")
    return value
