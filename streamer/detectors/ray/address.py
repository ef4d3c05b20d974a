"""The name of a pool, and its address as `detector.name` has it: `ray://HEAD/NAME`. Immutable; any thread."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from streamer.cluster.connection import ClusterAddress
from streamer.errors import ConfigError

SCHEME = "ray://"
_ACTOR = "pool:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """A pool on a cluster.

    Attributes:
        cluster: where it is.
        name: of the pool.
    """

    cluster: ClusterAddress
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that a user typed.

        Raises:
            ConfigError: it is none.
        """
        cluster, _, name = text.removeprefix(SCHEME).partition("/")
        if not text.startswith(SCHEME) or not cluster or not name:
            raise ConfigError(f"no pool {text!r}: give ray://HOST/NAME or ray://HOST:PORT/NAME")
        return cls(ClusterAddress.parse(f"{SCHEME}{cluster}"), checked_name(name))

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"


def checked_name(name: str) -> str:
    """The name of a pool, unchanged.

    Raises:
        ConfigError: a character does not fit.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"no name of a pool: {name!r}; use letters, digits, dots, hyphens and underscores")
    return name


def actor_name(pool: str) -> str:
    """The name of the pool's dispatcher, which is an actor."""
    return f"{_ACTOR}{pool}"


def pool_of(actor: str) -> str | None:
    """The pool whose dispatcher has this name; None if the actor is another one."""
    return actor.removeprefix(_ACTOR) if actor.startswith(_ACTOR) else None
