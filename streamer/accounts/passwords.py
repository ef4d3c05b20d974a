"""Names and passwords: which are accepted, and argon2 hashes (RFC 9106). Pure; hashing takes about 0.2 s of one core.

argon2-cffi releases Python's lock meanwhile. One lane is used, so a login takes no other core from the detector.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from streamer.errors import ConfigError

SHORTEST, LONGEST = 8, 256
"""Characters of a password."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
"""The second recommendation of RFC 9106 (section 4), 64 MiB, with one lane."""


def check_name(name: str, what: str = "name") -> None:
    """Check the name of a new user, or the label of a token.

    Raises:
        ConfigError: it has other characters, or is too long.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no {what}: give up to 64 letters of English, digits, '.', '_', '-' and '@'; the first is a "
            "letter or a digit"
        )


def check_new(password: str, name: str) -> None:
    """Check a password that a user chooses.

    Args:
        password: as typed.
        name: of the user.

    Raises:
        ConfigError: it is too short, too long, or the name. The message does not contain it.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigError(f"a password has {SHORTEST} to {LONGEST} characters, this one has {len(password)}")
    if name.casefold() in password.casefold() and len(password) < len(name) + SHORTEST:
        raise ConfigError("the password is little more than the name of the user; choose another one")
    if len(set(password)) == 1:
        raise ConfigError("the password is one character, repeated; choose another one")


def password_hash(password: str) -> str:
    """The hash of a password in PHC format, with a random salt."""
    return _HASHER.hash(_bytes(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether a password has this hash. None, for an unknown user, takes as long and is False."""
    nobody = _nobody()  # also for a user: the first call takes longer
    try:
        return _HASHER.verify(stored or nobody, _bytes(password)) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(stored)


@functools.cache
def _nobody() -> str:
    return _HASHER.hash(b"")


def _bytes(password: str) -> bytes:
    # The same password is composed on one keyboard and decomposed on another (Unicode annex 15).
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogateescape")
