"""What to suggest to a user: the nearest known name, or the package to install. Any thread."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import Any

from streamer.errors import ConfigError


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str, most: int = 1, cutoff: float | None = None) -> str:
    """`did you mean X?` if known names are similar to a word, in any case, else `otherwise`.

    Args:
        word: what the user wrote.
        known: the valid names.
        otherwise: the text if no name is similar.
        most: the largest number of names to suggest.
        cutoff: the least similarity of a suggestion, 0 to 1; 0.4 for one name, 0.6 for several if None.
    """
    if cutoff is None:
        cutoff = 0.4 if most == 1 else 0.6
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.strip().casefold(), sorted(by_folded), n=most, cutoff=cutoff)
    return f"did you mean {', '.join(by_folded[name] for name in near)}?" if near else otherwise


def counted(number: int, noun: str) -> str:
    """`1 frame`, `2 frames`."""
    return f"{number} {noun}{'s' * (number != 1)}"


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
