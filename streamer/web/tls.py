"""HTTPS: a certificate of the user, or one that the program makes and signs itself. The thread that starts the site."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import os
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from streamer.errors import ConfigError
from streamer.web.address import machine_addresses

log = logging.getLogger(__name__)

FILE = "tls.pem"
VALID = timedelta(days=820)
"""Of a certificate that the program makes; Apple's systems accept at most 825 days (HT210176)."""
RENEWED = timedelta(days=30)
"""A certificate that the program made is replaced so long before it expires."""
MODE = 0o600


class Tls(NamedTuple):
    """What a server needs for HTTPS.

    Attributes:
        context: of its connections.
        fingerprint: the SHA-256 of its certificate, as browsers show it: pairs of hexadecimal digits with colons.
    """

    context: ssl.SSLContext
    fingerprint: str


def own_tls(certificate: Path, key: Path, setting: str = "web.certificate") -> Tls:
    """HTTPS with a certificate of the user.

    Args:
        certificate: PEM, followed by those of its chain.
        key: PEM, without a pass phrase.
        setting: that has the certificate, for errors.

    Raises:
        ConfigError: one cannot be read, is no PEM, or they do not belong together.
    """
    for file, name in ((certificate, setting), (key, setting.replace("certificate", "key"))):
        try:
            file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{name}: cannot read {file}: {error.strerror or error}") from error
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{setting}: {certificate} has no certificate in PEM format") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password="")  # else OpenSSL asks the terminal for a pass phrase
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"{setting}: {key} is not the key of {certificate}") from error
        has_phrase = b"ENCRYPTED" in key.read_bytes()
        why = "has a pass phrase; remove it with 'openssl pkey'" if has_phrase else "has no private key in PEM format"
        raise ConfigError(f"{setting.replace('certificate', 'key')}: {key} {why}") from error
    until = found.not_valid_after_utc
    if until < datetime.now(UTC):
        log.warning("%s: %s expired on %s; browsers warn of it: renew it", setting, certificate, f"{until:%Y-%m-%d}")
    context.set_alpn_protocols(["http/1.1"])
    return Tls(context, fingerprint(found))


def automatic_tls(folder: Path, names: Iterable[str]) -> Tls:
    """HTTPS with a certificate that the program has signed itself; it is made if there is none.

    Args:
        folder: of the file `tls.pem` with certificate and key.
        names: host names and addresses of the site, besides those of the machine.

    Raises:
        ConfigError: the file cannot be written, or is no certificate with its key.
    """
    file = folder / FILE
    if not file.exists() or _ends_soon(file):
        _write(file, _self_signed([*_machine_names(), *names]))
    return own_tls(file, file, "web.tls")


def fingerprint(certificate: x509.Certificate) -> str:
    """The SHA-256 of a certificate as browsers show it."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest().hex(":").upper()


def _ends_soon(file: Path) -> bool:
    with suppress(OSError, ValueError):
        ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
        return ends < datetime.now(UTC) + RENEWED
    return False  # `own_tls` says what is wrong with it


def _write(file: Path, content: bytes) -> None:
    """Write a file for this user only; it is complete when it has its name."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as opened:
            opened.write(content)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"web.tls: cannot write {file}: {error.strerror or error}") from error


def _self_signed(names: Iterable[str]) -> bytes:
    """A certificate for host names and addresses, and its key, as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Streamer on {socket.gethostname()}"[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # the clock of a client may be slow
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(list(dict.fromkeys(_alternatives(names)))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private


def _alternatives(names: Iterable[str]) -> Iterator[x509.GeneralName]:
    for name in filter(None, names):
        try:
            number = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            with suppress(ValueError):  # a name that is no ASCII
                yield x509.DNSName(name)
        else:
            if not number.is_unspecified:
                yield x509.IPAddress(number)


def _machine_names() -> list[str]:
    """The names of this machine, and the addresses that other machines reach it by."""
    name = socket.gethostname()
    return ["localhost", "127.0.0.1", "::1", name, f"{name.partition('.')[0]}.local", *machine_addresses()]
