"""Suggestions for a misspelled name. Pure; any thread."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str, most: int = 1, cutoff: float = 0.4) -> str:
    """`did you mean X?` for a word that is close to a known one, in any case, else `otherwise`.

    Args:
        word: as typed.
        known: the valid names.
        otherwise: returned if no name is close.
        most: suggest so many names at most.
        cutoff: the least similarity of a suggestion, 0 to 1.
    """
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.strip().casefold(), sorted(by_folded), n=most, cutoff=cutoff)
    return f"did you mean {', '.join(by_folded[name] for name in near)}?" if near else otherwise


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for a misspelled word, or the list of what there is."""
    names = sorted(known)
    return f"; {did_you_mean(word, names, otherwise='there is ' + ', '.join(names))}"
