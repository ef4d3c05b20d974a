"""The table of a detector's classes: their names, and lookup by name, MID or superclass.

Immutable; owned by the detector, read by every thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from streamer.errors import ConfigError
from streamer.system.suggestions import did_you_mean

EXACTLY = "="
"""Prefix of a class: only that class, without its subclasses."""

_LISTED = 30


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """The subclass relation: a directed acyclic graph; a class may have several parents.

    Attributes:
        title: its name in messages, such as `Open Images V4`.
        names: readable name of each MID.
        parents: the MIDs of the direct superclasses of a MID; a class without any may be omitted.
    """

    title: str
    names: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]

    def find(self, key: str) -> str | None:
        """The MID of a class by its name or MID, case-insensitive; None if there is none."""
        folded = key.casefold()
        return next((mid for mid, name in self.names.items() if folded in (name.casefold(), mid.casefold())), None)

    def above(self, mid: str) -> dict[str, int]:
        """All superclasses of `mid`, itself included, with the smallest number of steps up to each."""
        return _reached({mid}, self.parents)

    def below(self, mids: Iterable[str]) -> dict[str, int]:
        """All subclasses of `mids`, these included, with the smallest number of steps down to each."""
        children: dict[str, list[str]] = {}
        for child, parents in self.parents.items():
            for parent in parents:
                children.setdefault(parent, []).append(child)
        return _reached(mids, children)


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Names of the classes of one detector; `Detections.labels` are row numbers of this table.

    Classes are selected by name or MID, case-insensitive: `Vehicle` means that class and all its subclasses in the
    hierarchy, whether or not the table has a row for `Vehicle` itself; `=Vehicle` means only that class. Without a
    hierarchy a class means itself.

    Attributes:
        names: readable English names, one per row; "" (or `???`, without a letter or digit) for an unused row.
        mids: Open Images / Freebase MIDs such as `/m/0k4j`, one per row, "" if there is none; or empty.
        hierarchy: of the MIDs; may be None. Tables with the same names and MIDs are equal.
        aliases: other names, one per row, "" if there is none; or empty. A class is also selected by its alias, if no
            class has that name.

    Raises:
        ValueError: `mids` or `aliases`, and `names` have different lengths.
    """

    names: tuple[str, ...]
    mids: tuple[str, ...] = ()
    hierarchy: Hierarchy | None = field(default=None, compare=False, repr=False)
    aliases: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.names, str) or isinstance(self.mids, str):
            raise ValueError(f"a label table takes a tuple of names, not the text {self.names!r}")
        if self.mids and len(self.mids) != len(self.names):
            raise ValueError("a label table needs as many MIDs as names, or none")
        if self.aliases and len(self.aliases) != len(self.names):
            raise ValueError("a label table needs as many aliases as names, or none")

    def __len__(self) -> int:
        return len(self.names)

    def name(self, label: int) -> str:
        """The readable name of a row; `class 7` if the table has no such row, or no name for it."""
        return (self.names[label] if 0 <= label < len(self.names) else "") or f"class {label}"

    def mid(self, label: int) -> str | None:
        """The MID of a row, or None if unknown."""
        return (self.mids[label] or None) if 0 <= label < len(self.mids) else None

    def used(self) -> Iterator[int]:
        """The rows with a name."""
        return (row for row, name in enumerate(self.names) if any(character.isalnum() for character in name))

    def rows(self, wanted: Sequence[str]) -> tuple[int, ...]:
        """The rows of the selected classes, rising, without duplicates.

        Raises:
            ConfigError: a class without rows; the message has the nearest names.
        """
        return tuple(sorted({row for expression in wanted for row in self.matches(expression)}))

    def matches(self, expression: str) -> dict[int, int]:
        """The rows selected by a class expression, with their steps up to the named class, 0 = itself.

        Raises:
            ConfigError: a class without rows; the message has the nearest names.
        """
        key = expression.strip()
        exact = key.startswith(EXACTLY)
        key = key.removeprefix(EXACTLY).strip().casefold()
        found = {row: 0 for row in self.used() if key in (self.names[row].casefold(), (self.mid(row) or "").casefold())}
        if not found and key:
            found = {row: 0 for row, alias in enumerate(self.aliases) if key == alias.casefold()}
        # A name in the table takes precedence over the same name in the hierarchy.
        tops = {self.mids[row] for row in found if self.mid(row)}
        if not found and self.hierarchy is not None:
            tops |= {mid for mid in (self.hierarchy.find(key),) if mid is not None}
        below = self._below(tops)
        if exact:
            below = {row: steps for row, steps in below.items() if steps == 0}
        if not key or not (found or below):
            raise ConfigError(self._nothing(expression.strip(), key, tops))
        return below | found

    def above(self, row: int) -> dict[str, int]:
        """The MIDs of all superclasses of a row's class, itself included, with the steps up; or empty."""
        mid = self.mid(row)
        if mid is None:
            return {}
        return {mid: 0} if self.hierarchy is None else self.hierarchy.above(mid)

    def _below(self, tops: set[str]) -> dict[int, int]:
        """Rows of the classes `tops` and their subclasses, with the smallest number of steps up."""
        if not tops:
            return {}
        steps = dict.fromkeys(tops, 0) if self.hierarchy is None else self.hierarchy.below(tops)
        return {row: steps[self.mids[row]] for row in self.used() if self.mid(row) in steps}

    def _nothing(self, shown: str, key: str, tops: set[str]) -> str:
        """Why an expression selects no row, with suggestions."""
        if not tops or self.hierarchy is None:
            return f"no class {shown!r} in this detector{self._nearest(key)}"
        name = self.hierarchy.names[min(tops)]
        if below := self._below(tops):
            kinds = ", ".join(self.names[row] for row in sorted(below))
            return f"this detector has no class {name!r} itself; without the {EXACTLY!r} it means {kinds}"
        return (
            f"this detector knows no {name!r}: {self.hierarchy.title} has that class, "
            f"but the detector has neither it nor anything below it{self._known()}"
        )

    def _nearest(self, key: str) -> str:
        names = [self.names[row] for row in self.used()]
        higher = {mid for row in self.used() for mid in self.above(row)} if self.hierarchy is not None else set()
        titles = self.hierarchy.names if self.hierarchy is not None else {}
        # A name of the table replaces the same name of the hierarchy.
        known = [*(titles[mid] for mid in higher if mid in titles), *names]
        near = did_you_mean(key, known, otherwise="", most=3)
        return f"; {near}" if near else self._known()

    def _known(self) -> str:
        known = sorted({self.names[row] for row in self.used()}, key=str.casefold)
        return (
            f"; it knows {', '.join(known)}"
            if len(known) <= _LISTED
            else (f"; it knows {len(known)} classes by name, which 'streamer models labels' lists")
        )


def _reached(start: Iterable[str], following: Mapping[str, Sequence[str]]) -> dict[str, int]:
    found = dict.fromkeys(start, 0)
    queue = list(found)
    for node in queue:  # breadth first: the list grows during the iteration
        for each in following.get(node, ()):
            if each not in found:
                found[each] = found[node] + 1
                queue.append(each)
    return found
