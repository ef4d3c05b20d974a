"""The file with users, sessions and tokens: SQLite, used by the command line and a running site at the same time.

Each method opens the file for itself, so any thread and any process may call it, and a change is seen by the next call
of every other. Passwords are stored as argon2 hashes. Sessions and tokens are random, so their SHA-256 is enough.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamer.accounts.database import reading, require_made, writing
from streamer.accounts.errors import AccountsError
from streamer.accounts.roles import Role, User
from streamer.errors import ConfigError

SESSION_S = 30 * 86_400.0
"""A session ends after this time in any case."""
IDLE_S = 7 * 86_400.0
"""A session that is not used for this time ends."""
RENEWED_EVERY_S = 3600.0
"""The use of a session is written at most so often."""
MOST_SESSIONS = 50
"""Of one user; the one that was used least recently ends."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a user, without its secret.

    Attributes:
        label: what it is for; unique for its user.
        created_s, expires_s: Unix time; it does not expire if None.
    """

    label: str
    created_s: float
    expires_s: float | None


def hashed(secret: str) -> bytes:
    """The SHA-256 under which a session or token is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def new_secret() -> str:
    """A secret of a session, which nobody can guess: 256 random bits."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """The secret of a token. Programs that search for secrets in files recognise its beginning."""
    return f"streamer_{new_secret()}"


class AccountStore:
    """Users, sessions and tokens.

    Args:
        path: of the file. It is made, readable for this user only, when the first user is added.

    Raises:
        ConfigError: by each method, when the file is of another program or of a newer version.
        AccountsError: by each method, when it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def require_file(self) -> None:
        """Refuse to take a file that is gone or empty for one without users. Raises AccountsError: it is."""
        require_made(self.path)

    # users

    def users(self) -> list[User]:
        """All users, by name."""
        with reading(self.path) as db:
            return [User(name, Role(role)) for name, role in db.execute("SELECT name, role FROM users ORDER BY name")]

    def password_of(self, name: str) -> tuple[User, str] | None:
        """A user with the hash of its password; None if there is none of that name."""
        with reading(self.path) as db:
            row = db.execute("SELECT name, role, password FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else (User(row[0], Role(row[1])), row[2])

    def add(self, user: User, password: str, now_s: float) -> None:
        """Add a user.

        Args:
            user: the new one.
            password: its hash.
            now_s: Unix time.

        Raises:
            ConfigError: there is one of that name.
        """
        with writing(self.path) as db:
            if db.execute("SELECT 1 FROM users WHERE name = ?", (user.name,)).fetchone():
                raise ConfigError(
                    f"there is a user {user.name!r} already; change the password with 'streamer user passwd'"
                )
            db.execute("INSERT INTO users VALUES (?, ?, ?, ?)", (user.name, user.role.value, password, now_s))

    def set_password(self, name: str, password: str, *, keeps_sessions: bool = False) -> bool:
        """Change the hash of a password; the sessions of the user end. False if there is no such user."""
        with writing(self.path) as db:
            if not keeps_sessions:
                db.execute("DELETE FROM sessions WHERE user = ?", (name,))
            return bool(db.execute("UPDATE users SET password = ? WHERE name = ?", (password, name)).rowcount)

    def remove(self, name: str) -> bool:
        """Remove a user with its sessions and tokens. False if there is no such user."""
        with writing(self.path) as db:
            return bool(db.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount)

    # sessions and tokens

    def add_session(self, name: str, secret: str, now_s: float) -> None:
        """Begin a session of a user; sessions that have expired are removed."""
        with writing(self.path) as db:
            db.execute("DELETE FROM sessions WHERE created_s < ? OR used_s < ?", (now_s - SESSION_S, now_s - IDLE_S))
            db.execute(
                "DELETE FROM sessions WHERE hash IN"
                " (SELECT hash FROM sessions WHERE user = ? ORDER BY used_s DESC LIMIT -1 OFFSET ?)",
                (name, MOST_SESSIONS - 1),
            )
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (hashed(secret), name, now_s, now_s))

    def session(self, secret: str, now_s: float) -> User | None:
        """The user of a session, which is renewed; None if it is unknown or has expired."""
        key = hashed(secret)
        with reading(self.path) as db:
            row = db.execute(
                "SELECT name, role, used_s FROM sessions JOIN users ON user = name"
                " WHERE hash = ? AND sessions.created_s >= ? AND used_s >= ?",
                (key, now_s - SESSION_S, now_s - IDLE_S),
            ).fetchone()
        if row is None:
            return None
        if now_s - row[2] > RENEWED_EVERY_S:
            # On a full disk users still get in, until the session expires: they may have to make space.
            with suppress(AccountsError), writing(self.path) as db:
                db.execute("UPDATE sessions SET used_s = ? WHERE hash = ?", (now_s, key))
        return User(row[0], Role(row[1]))

    def end_session(self, secret: str) -> None:
        """End a session."""
        with writing(self.path) as db:
            db.execute("DELETE FROM sessions WHERE hash = ?", (hashed(secret),))

    def add_token(self, name: str, token: Token, secret: str) -> None:
        """Add a token of a user.

        Raises:
            ConfigError: there is no such user, or it has a token with that label.
        """
        with writing(self.path) as db:
            if not db.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone():
                raise ConfigError(f"there is no user {name!r}")
            if db.execute("SELECT 1 FROM tokens WHERE user = ? AND label = ?", (name, token.label)).fetchone():
                raise ConfigError(f"{name} has a token {token.label!r} already; choose another label, or revoke it")
            row = (hashed(secret), name, token.label, token.created_s, token.expires_s)
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", row)

    def token(self, secret: str, now_s: float) -> User | None:
        """The user of a token; None if it is unknown or has expired."""
        with reading(self.path) as db:
            row = db.execute(
                "SELECT name, role FROM tokens JOIN users ON user = name"
                " WHERE hash = ? AND (expires_s IS NULL OR expires_s > ?)",
                (hashed(secret), now_s),
            ).fetchone()
        return None if row is None else User(row[0], Role(row[1]))

    def tokens(self, name: str) -> Sequence[Token]:
        """The tokens of a user, by label."""
        with reading(self.path) as db:
            rows = db.execute("SELECT label, created_s, expires_s FROM tokens WHERE user = ? ORDER BY label", (name,))
            return [Token(*row) for row in rows]

    def revoke(self, name: str, label: str) -> bool:
        """Remove a token of a user. False if there is no such token."""
        with writing(self.path) as db:
            return bool(db.execute("DELETE FROM tokens WHERE user = ? AND label = ?", (name, label)).rowcount)
