"""Paths from users: lookup, display and shortening. Any thread.

A name is up to 255 bytes on most file systems, without / and the null byte. Python represents bytes that are not UTF-8
as surrogates (PEP 383).
"""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from itertools import accumulate
from pathlib import Path
from typing import Any

MOST_BYTES = 255
"""The longest name on most file systems (NAME_MAX of POSIX)."""

# Controls, lone surrogates, and invisible characters that hide other text or change its direction (Unicode 15,
# categories Cc, Cs, Cf, Zl, Zp). The joiners U+200C and U+200D stay, because scripts and emoji need them.
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


def as_argument(path: str | Path) -> str:
    """A path as a user types it in a shell: quoted if necessary, and not to be taken for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def exists(path: str | Path) -> bool:
    """Whether the path exists; False for an invalid name, for which pathlib raises OSError."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: str | Path) -> bool:
    """Whether the path is a file; False for an invalid name."""
    return os.path.isfile(path)  # noqa: PTH113


def is_dir(path: str | Path) -> bool:
    """Whether the path is a folder; False for an invalid name."""
    return os.path.isdir(path)  # noqa: PTH112


def readable(text: str, *, keep: str = "") -> str:
    r"""A text on one line, with controls, marks of direction and bytes that are not UTF-8 written as `\n`, `\x1b`,
    `\u202e`, `\xe9`.

    Args:
        text: the text.
        keep: such characters to leave unchanged.
    """
    return _UNSHOWN.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def encodable(value: Any) -> Any:
    r"""A value for JSON, with each byte that is not UTF-8 written as `\xe9`, also inside dicts, lists and tuples.

    Many JSON readers refuse lone surrogates (RFC 8259, 8.2).
    """
    if isinstance(value, str):
        return _SURROGATE.sub(lambda found: _escaped(found[0]), value)
    if isinstance(value, dict):
        return {encodable(key): encodable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(one) for one in value]
    return value


def shortened(stem: str, rest: str, most_bytes: int = MOST_BYTES) -> str:
    """`stem` followed by `rest`, with the end of `stem` cut off where the name is too long. Letters stay whole.

    Args:
        stem: begin of the name.
        rest: end of the name, such as `.annotated.mp4`.
        most_bytes: longest name.
    """
    room = max(most_bytes - len(os.fsencode(rest)), 0)
    if len(os.fsencode(stem)) <= room:
        return stem + rest
    kept = sum(used <= room for used in accumulate(len(os.fsencode(character)) for character in stem))
    # An accent stays with its letter.
    ends = [end for end in range(kept + 1) if unicodedata.category(stem[end])[0] != "M"]
    return stem[: max(ends, default=0)] + rest


def most_bytes_in(folder: str | Path) -> int:
    """The longest name in a folder in bytes; `MOST_BYTES` if unknown."""
    try:
        return min(os.pathconf(folder, "PC_NAME_MAX"), MOST_BYTES)
    except (OSError, ValueError):
        return MOST_BYTES


def _escaped(character: str) -> str:
    code = ord(character)
    # PEP 383: the byte 0xe9 that is not UTF-8 is the surrogate U+DCE9.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()
