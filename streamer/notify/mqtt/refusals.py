"""Why a broker was not reached, or refused something, in one line with the remedy. Pure.

The reason codes are those of MQTT 5 (OASIS standard, 2.4); paho translates the return codes of MQTT 3.1.1 to them.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType

from streamer.notify.mqtt.broker import Broker
from streamer.notify.target import DeliveryError

_ERRNO = {
    errno.ECONNREFUSED: "no broker listens there (connection refused); start it, or check the port",
    errno.EHOSTUNREACH: "the host is not reachable; check the address and the network",
    errno.ENETUNREACH: "the network is not reachable; check this machine's network",
    errno.ECONNRESET: "the connection was closed during the start; check whether that port needs mqtts:// (TLS)",
}
_LOGIN = "check {path}.user and {path}.password"
_CONNECTION: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        0x84: ("the broker does not support MQTT {version}", "set {path}.version: {other}"),
        0x85: ("the broker does not accept the client id", "set another {path}.client_id"),
        0x86: ("wrong user or password", _LOGIN),
        0x87: ("the broker refuses this login", _LOGIN),
        0x88: ("the broker is not available now", "the program tries again"),
        0x89: ("the broker is busy", "the program tries again"),
        0x8A: ("the broker has banned this client", "ask its operator"),
        0x8C: ("the broker does not support this kind of login", _LOGIN),
        0x8E: ("another client has connected with the same client id", "set another {path}.client_id"),
        0x95: ("the broker refused a message that is too large", "set {path}.snapshot: false, or raise its limit"),
        0x97: ("a quota of the broker is used up", "ask its operator"),
        0x9A: ("the broker keeps no retained messages", "enable them in its settings"),
        0x9C: ("the broker sends its clients to another one", "give that one in {path}.url"),
        0x9D: ("the broker has moved", "give the new one in {path}.url"),
        0x9F: ("the broker limits how often a client connects", "the program tries again"),
    }
)
"""Reason codes of CONNACK and DISCONNECT: meaning, remedy."""
_PUBLICATION: Mapping[int, tuple[str, str, bool]] = MappingProxyType(
    {
        0x87: ("this user may not publish to {topic}", "change the access list of the broker", False),
        0x90: ("the broker does not accept the topic {topic}", "set another {path}.topic", False),
        0x97: ("a quota of the broker is used up", "ask its operator", False),
        0x99: ("the broker does not accept the message on {topic}", "ask its operator", True),
    }
)
"""Reason codes of PUBACK: meaning, remedy, whether another attempt is useless."""
NO_SUBSCRIBERS = 0x10
"""A PUBACK that says that no subscription matches. The broker has taken the message."""


def not_reached(error: Exception, broker: Broker) -> DeliveryError:
    """The error about a connection that could not be opened.

    Args:
        error: of the system, of `ssl` or of paho.
        broker: of the target.
    """
    settings, path = broker.settings, broker.path
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"its certificate is not trusted: {error.verify_message}; set {path}.tls.ca_file"
    elif isinstance(error, ssl.SSLError):
        text = f"TLS failed ({error.reason or error}); check the port, and {path}.tls"
    elif isinstance(error, socket.gaierror):
        text = "the host name is unknown; check the address"
    elif isinstance(error, TimeoutError):
        text = f"no answer within {settings.timeout_s:g} s; check the address, the network and the firewall"
    elif isinstance(error, OSError):
        text = _ERRNO.get(error.errno or 0) or f"{error.strerror or error}; check the address and the network"
    else:
        text = f"{error}; is a broker at that address?"
    return DeliveryError(f"cannot connect to {broker}: {text}")


def refused(code: int, name: str, broker: Broker) -> str:
    """The message about a connection that the broker refused or closed.

    Args:
        code: the reason code.
        name: its name in the standard.
        broker: of the target.
    """
    meaning, remedy = _CONNECTION.get(code, (f"the broker refuses the connection: {name}", "see the broker's log"))
    version = broker.settings.version
    values = {"path": broker.path, "version": version, "other": "3.1.1" if version == "5" else "5"}
    return f"{broker}: {meaning.format(**values)}; {remedy.format(**values)}"


def not_published(code: int, name: str, topic: str, broker: Broker) -> DeliveryError:
    """The error about a message that the broker refused; the arguments are those of `refused`, with the topic."""
    unknown = (f"the broker refuses a message on {{topic}}: {name}", "see the broker's log", False)
    meaning, remedy, permanent = _PUBLICATION.get(code, unknown)
    values = {"path": broker.path, "topic": topic}
    return DeliveryError(f"{broker}: {meaning.format(**values)}; {remedy.format(**values)}", permanent=permanent)
