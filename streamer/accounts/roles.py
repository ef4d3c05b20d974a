"""Users and what they may do. Immutable values; any thread may read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user may do."""

    VIEWER = "viewer"
    """See live video, events and clips; nothing that changes the site."""
    ADMIN = "admin"
    """Everything."""


class Access(StrEnum):
    """Who may use an operation of the API."""

    ANYONE = "anyone"
    VIEWER = "viewer"
    ADMIN = "admin"

    def allows(self, user: User | None) -> bool:
        """Whether a user may use it; None is somebody who is not logged in."""
        if self is Access.ANYONE:
            return True
        return user is not None and (self is Access.VIEWER or user.role is Role.ADMIN)


@dataclass(frozen=True, slots=True)
class User:
    """A user of the page.

    Attributes:
        name: unique.
        role: what the user may do.
    """

    name: str
    role: Role


LOCAL = User("", Role.ADMIN)
"""Whoever opens the page on this machine while there are no users."""
