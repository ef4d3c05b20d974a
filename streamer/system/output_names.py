"""The names of outputs that the user did not name, and how a later run recognizes them. Pure functions; any thread.

A default output has the name of its input with `.annotated` before the suffix: `clip.annotated.mp4`. A later run in the
same folder leaves such files and folders out, so that outputs never become inputs.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from streamer.system import paths

_MARK = ".annotated"
_WILD = re.compile(r"[*?\[]")


def annotated_name(stem: str, suffix: str) -> str:
    """The name of the output for an input; a name that would be too long is shortened.

    Args:
        stem: of the input's name, from `plain_name`.
        suffix: of the output, with its dot; empty for a folder.
    """
    return paths.shortened(stem, _MARK + suffix, paths.most_bytes_in("."))


def plain_name(stem: str) -> str:
    """A name with letters and digits of all scripts, also bytes that are not UTF-8; `streamer` if nothing is left."""
    return "".join(filter(_stays_in_a_name, stem)).strip(". ") or "streamer"


def is_output(path: Path) -> bool:
    """Whether a file has the name of a default output."""
    return path.stem.endswith(_MARK)


def is_output_in(base: Path, path: Path) -> bool:
    """Whether a file, or a folder between `base` and it, has the name of a default output.

    Args:
        base: the folder that is searched.
        path: a file in it or below.
    """
    inner = Path(os.path.relpath(path.parent, base)).parts
    return is_output(path) or any(part.endswith(_MARK) for part in inner)


def searched_folder(pattern: str) -> Path:
    """The folder in which a glob pattern begins to search: the part of its path before the first wildcard."""
    return split_pattern(pattern)[0]


def split_pattern(pattern: str) -> tuple[Path, str]:
    """The folder in which a glob pattern begins to search, and the rest, which begins with the first wildcard."""
    before = re.split(_WILD, pattern, maxsplit=1)[0]
    folder = before.rpartition("/")[0]
    return Path(folder or ("/" if before.startswith("/") else ".")), pattern[len(folder) :].lstrip("/")


def _stays_in_a_name(character: str) -> bool:
    """Whether it is a letter, mark or digit of any script, a joiner, or a byte of another encoding (PEP 383)."""
    is_byte = "\udc80" <= character <= "\udcff"
    return is_byte or character in "-_. \u200c\u200d" or unicodedata.category(character)[0] in "LMN"
