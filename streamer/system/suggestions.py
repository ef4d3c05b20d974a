"""What to suggest to a user: the nearest known name, or the package to install. Any thread."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Sequence
from typing import Any

from streamer.errors import ConfigError


def did_you_mean(word: str, known: Sequence[str], *, otherwise: str, most: int = 1) -> str:
    """`did you mean X?` if known names are similar to a word, else `otherwise`.

    Args:
        word: what the user wrote.
        known: the valid names.
        otherwise: the text if no name is similar.
        most: the largest number of names to suggest.
    """
    near = difflib.get_close_matches(word, known, n=most, cutoff=0.4 if most == 1 else 0.6)
    return f"did you mean {', '.join(near)}?" if near else otherwise


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for a misspelled word, or a list of the known names."""
    names = sorted(known)
    return f"; {did_you_mean(word, names, otherwise='there is ' + (', '.join(names) or 'none'))}"


def import_extra(module: str, extra: str = "eval") -> Any:
    """A module of an optional dependency, imported now.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'streamer-video[{extra}]'") from error
