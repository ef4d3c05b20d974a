"""Applies the changes of a YAML text that was laid out anew to the text as a person wrote it. Pure; any thread.

ruamel.yaml writes a text from the values before a change (`before`), and one from those after it (`after`). A line of
the original and one of `before` belong together if they differ in white space only. Others form groups: a folded text
is one line in `before`, a document marker is none. What is equal in `before` and `after` is taken from the original.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

_LINES = re.compile(r"[^\n]*\n|[^\n]+\Z")
_DASH = re.compile(r" *(?:- +)+(?=[^\s#])")
_COMMENT = re.compile(r"(?:^|\s)(#[^\n\r]*)")


def patched(original: str, before: str, after: str, newline: str) -> str:
    """The original with the lines that differ between `before` and `after`.

    Args:
        original: as a person wrote it.
        before: the same values, laid out anew.
        after: the changed values, laid out like `before`.
        newline: ends new lines.
    """
    return "".join(_Patch(original, before, after, newline).lines())


def comments_of(text: str) -> list[str]:
    """The comments of a text; what looks like one in a value counts, too."""
    return [one.rstrip() for one in _COMMENT.findall(text)]


class _Patch:
    def __init__(self, original: str, before: str, after: str, newline: str) -> None:
        self._original, self._before, self._after = (_LINES.findall(one) for one in (original, before, after))
        self._newline = newline
        self._groups = list(_groups(self._original, self._before))
        self._columns: list[tuple[int, int]] = []  # of the sections above: in `after`, and as written

    def lines(self) -> Iterator[str]:
        """The lines of the result."""
        kept = set[int]()
        changes: dict[int, list[str]] = {}  # what comes before a line of `before`
        for kind, i1, i2, j1, j2 in _opcodes(self._before, self._after):
            if kind == "equal":
                kept.update(range(i1, i2))
            else:
                at = self._place(i1, self._after[j1]) if kind == "insert" else i1
                changes[at] = [*changes.get(at, ()), *self._after[j1:j2]]
        removed: list[str] = []
        for first, last, lines in self._groups:
            is_gone = first < last and not kept.intersection(range(first, last))
            if not is_gone:
                yield from _of_what_follows(removed)
                removed = []
            if first < last or last == len(self._before):
                yield from self._new(changes.pop(first, ()))
            if is_gone:
                removed += lines
            elif kept.issuperset(range(first, last)) and not changes.keys() & range(first, last):
                yield from self._as_written(self._before[first:last], lines)
            else:
                for line in range(first, last):
                    yield from self._new(changes.pop(line, ()))
                    yield from self._new(self._before[line : line + 1] if line in kept else ())
        yield from _of_what_follows(removed)
        yield from self._new(changes.pop(len(self._before), ()))

    def _place(self, at: int, new: str) -> int:
        """The line of `before` that a new line comes before: above the comments of the next section."""
        while at and _is_above(self._before[at - 1], new):
            at -= 1
        return at

    def _as_written(self, before: Sequence[str], lines: Sequence[str]) -> Iterator[str]:
        if before and lines:  # further lines of a group go on with the value of the first one
            self._enter(before[0], lines[0])
        yield from lines

    def _new(self, lines: Sequence[str]) -> Iterator[str]:
        """New lines, at the columns of what is written around them."""
        for line in lines:
            column = _indent(line)
            above = next(((one, other) for one, other in reversed(self._columns) if one <= column), (0, 0))
            written = above[1] + column - above[0]
            moved = " " * written + line[column:].removesuffix("\n") if line.strip() else ""
            self._enter(line, moved)
            yield moved + self._newline

    def _enter(self, line: str, written: str) -> None:
        """Note at which columns a line of `after` is, and is written; after a dash there is a second column."""
        if not line.strip() or line.lstrip().startswith("#"):
            return
        while self._columns and self._columns[-1][0] >= _indent(line):
            self._columns.pop()
        self._columns.append((_indent(line), _indent(written)))
        inner, written_inner = (_DASH.match(one) for one in (line, written))
        if inner and written_inner:
            self._columns.append((inner.end(), written_inner.end()))


def _groups(original: Sequence[str], before: Sequence[str]) -> Iterator[tuple[int, int, Sequence[str]]]:
    """Lines of `before`, from the first to the one after the last, with their lines of the original."""
    for kind, i1, i2, j1, j2 in _opcodes(*([" ".join(one.split()) for one in text] for text in (original, before))):
        if kind == "equal":
            yield from ((j, j + 1, original[i : i + 1]) for i, j in zip(range(i1, i2), range(j1, j2), strict=True))
        else:
            yield j1, j2, original[i1:i2]


def _opcodes(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """As of `difflib`, which takes long for thousands of lines: most are equal at the begin and at the end."""
    most = min(len(one), len(other))
    head = next((at for at in range(most) if one[at] != other[at]), most)
    tail = next((at for at in range(most - head) if one[-1 - at] != other[-1 - at]), most - head)
    end, other_end = len(one) - tail, len(other) - tail
    if head:
        yield "equal", 0, head, 0, head
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, one[head:end], other[head:other_end], False).get_opcodes():
        yield kind, i1 + head, i2 + head, j1 + head, j2 + head
    if tail:
        yield "equal", end, len(one), other_end, len(other)


def _is_above(line: str, new: str) -> bool:
    """Whether it is an empty line or a comment to the left of a new line."""
    return not line.strip() or (line.lstrip().startswith("#") and _indent(line) < _indent(new))


def _of_what_follows(removed: Sequence[str]) -> Sequence[str]:
    """The empty lines and comments at the end of removed lines that are about the next section."""
    if not removed:
        return ()
    columns = _indent(removed[0])
    count = 0
    for line in reversed(removed):
        if line.strip() and not (line.lstrip().startswith("#") and _indent(line) <= columns):
            break
        count += 1
    return removed[len(removed) - count :]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
