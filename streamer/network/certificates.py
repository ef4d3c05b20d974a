"""Which server certificates are trusted, and why one was not. Any thread.

FFmpeg's GnuTLS in PyAV's wheels looks for authorities where only Red Hat systems have them (/etc/pki), and without them
it rejects every server. So FFmpeg gets the file that Python's `ssl` uses, or else that of `certifi`.
"""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import certifi

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Environment variables; each may name a file of authorities that replaces the system's."""
_REMEDIES = (
    ("expired", "renew it"),
    ("not yet valid", "set the clock of this machine, or set the camera's clock and create a new certificate"),
    ("not valid for", "use the host name of the certificate in the address"),
    ("does not match", "use the host name of the certificate in the address"),
    ("", "name its authority in SSL_CERT_FILE"),
)
_TIMEOUT_S = 3.0


def authorities() -> str:
    """The PEM file with the trusted authorities: of the environment, the system, or `certifi`."""
    for name in VARIABLES:
        if named := os.environ.get(name):
            return named
    system = ssl.get_default_verify_paths().cafile
    return system if system and Path(system).is_file() else certifi.where()


def context(file: str | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """A context for TLS connections.

    Args:
        file: of authorities; `authorities()` if None.
        verify: check the server's certificate.

    Raises:
        OSError: the file cannot be read or has no certificates.
    """
    if verify:
        return ssl.create_default_context(cafile=file or authorities())
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return trusting


def distrust(reason: str, verify: str = "source.verify") -> str:
    """The error text for a certificate that is not trusted, with the remedy; `verify` is the setting for any."""
    remedy = next(remedy for words, remedy in _REMEDIES if words in reason)
    why = reason.strip(". \n")
    return f"its certificate is not trusted: {why}; {remedy}, or set {verify}: false to accept any certificate"


def why_not(host: str, port: int, file: str | None = None) -> str | None:
    """Connect to a server and return OpenSSL's reason why its certificate is not trusted, which GnuTLS does not give.

    Returns:
        None if it is trusted, or the server does not answer.
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
