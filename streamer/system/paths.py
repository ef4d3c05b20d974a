"""Paths that users give: whether something is there, how they are shown, how they are shortened. Any thread.

A name is any bytes but / and the null byte, up to 255 of them on most file systems. Python gives bytes that are not
UTF-8 as surrogates (PEP 383).
"""

from __future__ import annotations

import os
import re
import unicodedata
from itertools import accumulate
from pathlib import Path
from typing import Any

MOST_BYTES = 255
"""Of a name on most file systems (NAME_MAX of POSIX)."""

# Controls, lone surrogates, and characters without a shape that hide others or turn the direction of what follows
# (Unicode 15, categories Cc, Cs, Cf, Zl, Zp). The joiners U+200C and U+200D stay: scripts and emoji need them.
_UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def scheme_of(text: str) -> str:
    """The scheme of an address such as `rtsp://host/`, in lower case; "" for any other text."""
    match = _SCHEME.match(text)
    return match[1].lower() if match else ""


def is_local(uri: str) -> bool:
    """Whether a text is the name of something on this machine: it exists, or it is no address."""
    return not scheme_of(uri) or exists(uri)


def exists(path: str | Path) -> bool:
    """Whether something is there; False of a name that cannot be, which pathlib raises OSError for."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: str | Path) -> bool:
    """Whether a file is there; False of a name that cannot be."""
    return os.path.isfile(path)  # noqa: PTH113


def is_dir(path: str | Path) -> bool:
    """Whether a folder is there; False of a name that cannot be."""
    return os.path.isdir(path)  # noqa: PTH112


def readable(text: str, *, keep: str = "") -> str:
    r"""A text on one line that says what is in it: controls, marks of direction and bytes that are not UTF-8 as `\n`,
    `\x1b`, `\u202e`, `\xe9`.

    Args:
        text: with names in it.
        keep: such characters that are meant.
    """
    return _UNSHOWN.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def encodable(value: Any) -> Any:
    r"""A value for JSON, with each byte that is not UTF-8 as `\xe9`: a lone surrogate is refused by many readers (RFC
    8259, 8.2). Looks into dicts, lists and tuples.
    """
    if isinstance(value, str):
        return _SURROGATE.sub(lambda found: _escaped(found[0]), value)
    if isinstance(value, dict):
        return {encodable(key): encodable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(one) for one in value]
    return value


def shortened(stem: str, rest: str, most_bytes: int = MOST_BYTES) -> str:
    """A name that begins as `stem` does and ends in `rest`, in at most so many bytes; no letter is cut in two.

    Args:
        stem: of which the end is left out where the name would be too long.
        rest: what must stay; such as `.annotated.mp4`.
        most_bytes: of the name.
    """
    room = max(most_bytes - len(os.fsencode(rest)), 0)
    if len(os.fsencode(stem)) <= room:
        return stem + rest
    kept = sum(used <= room for used in accumulate(len(os.fsencode(character)) for character in stem))
    # An accent goes with the letter that it belongs to.
    ends = [end for end in range(kept + 1) if unicodedata.category(stem[end])[0] != "M"]
    return stem[: max(ends, default=0)] + rest


def most_bytes_in(folder: str | Path) -> int:
    """How many bytes a name may have in a folder; `MOST_BYTES` where that is not known."""
    try:
        return min(os.pathconf(folder, "PC_NAME_MAX"), MOST_BYTES)
    except (OSError, ValueError):
        return MOST_BYTES


def _escaped(character: str) -> str:
    code = ord(character)
    # PEP 383: the byte 0xe9 that is not UTF-8 is the surrogate U+DCE9.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()
