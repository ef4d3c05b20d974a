"""What to say of a name that is none. Pure; any thread."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(word: str, known: Sequence[str], *, otherwise: str) -> str:
    """`did you mean X?` for a word that is close to a known one, else `otherwise`."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else otherwise


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for a misspelled word, or the list of what there is."""
    names = sorted(known)
    return f"; {did_you_mean(word, names, otherwise='there is ' + ', '.join(names))}"
