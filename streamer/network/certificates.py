"""Which certificates of servers are believed, and why one was not. Any thread.

FFmpeg's GnuTLS in PyAV's wheels looks for authorities where only Red Hat's systems have them (/etc/pki), and without a
file of them refuses every server. So it is given the one that Python's `ssl` uses, or else that of `certifi`.
"""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import certifi

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Of the environment; each may name a file of authorities in place of the system's."""
_REMEDIES = (
    ("expired", "renew it"),
    ("not yet valid", "set the clock of this machine, or that of the camera and make another"),
    ("not valid for", "write the name in the address that it was made for"),
    ("does not match", "write the name in the address that it was made for"),
    ("", "name its authority in SSL_CERT_FILE"),
)
_TIMEOUT_S = 3.0


def authorities() -> str:
    """The file (PEM) with the authorities that are believed: the environment's, the system's, or that of `certifi`."""
    for name in VARIABLES:
        if named := os.environ.get(name):
            return named
    system = ssl.get_default_verify_paths().cafile
    return system if system and Path(system).is_file() else certifi.where()


def context(file: str | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """For connections over TLS.

    Args:
        file: of authorities; `authorities()` if None.
        verify: check the server's certificate.

    Raises:
        OSError: it cannot be read, or has no certificates.
    """
    if verify:
        return ssl.create_default_context(cafile=file or authorities())
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return trusting


def distrust(reason: str) -> str:
    """What to say of a server that is not believed, with the remedy."""
    remedy = next(remedy for words, remedy in _REMEDIES if words in reason)
    why = reason.strip(". \n")
    return f"its certificate is not trusted: {why}; {remedy}, or set source.verify: false to trust whoever answers"


def why_not(host: str, port: int, file: str | None = None) -> str | None:
    """Why a server's certificate is not believed, as OpenSSL says it: GnuTLS does not tell. Asks the server.

    Returns:
        None if it is believed, or does not answer.
    """
    try:
        trusted = context(file)
    except OSError as error:
        return f"the authorities in {file or authorities()} cannot be read ({error.strerror or error})"
    try:
        with socket.create_connection((host, port), _TIMEOUT_S) as plain:
            trusted.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError:
        return None
    return None
