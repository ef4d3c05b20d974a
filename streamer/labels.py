"""The table that turns a detector's class numbers into names.

Immutable; owned by the detector, read by every thread.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from streamer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Names of the classes of one detector; `Detections.labels` are row numbers of this table.

    Attributes:
        names: readable English names, one a row.
        mids: Open Images / Freebase MIDs such as `/m/0k4j`, one a row, "" where there is none; or empty.

    Raises:
        ValueError: `mids` given with another length than `names`.
    """

    names: tuple[str, ...]
    mids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mids and len(self.mids) != len(self.names):
            raise ValueError("a label table needs as many MIDs as names, or none")

    def __len__(self) -> int:
        return len(self.names)

    def name(self, label: int) -> str:
        """The readable name of a row; `class 7` for a row that the table does not have."""
        return self.names[label] if 0 <= label < len(self.names) else f"class {label}"

    def mid(self, label: int) -> str | None:
        """The MID of a row, or None where it is not known."""
        return (self.mids[label] or None) if 0 <= label < len(self.mids) else None

    def rows(self, wanted: Sequence[str]) -> tuple[int, ...]:
        """The rows of the classes asked for, by name (any case) or MID.

        Raises:
            ConfigError: a class that is not in the table; the message has the nearest names.
        """
        by_key = {name.casefold(): row for row, name in enumerate(self.names) if name}
        by_key.update({mid: row for row, mid in enumerate(self.mids) if mid})
        found = []
        for item in wanted:
            row = by_key.get(item.strip()) if item.startswith("/") else by_key.get(item.strip().casefold())
            if row is None:
                raise ConfigError(f"no class {item.strip()!r} in this detector{self._nearest(item)}")
            found.append(row)
        return tuple(dict.fromkeys(found))

    def _nearest(self, item: str) -> str:
        by_folded = {name.casefold(): name for name in self.names if name}
        near = difflib.get_close_matches(item.strip().casefold(), by_folded, n=3, cutoff=0.5)
        if near:
            return "; did you mean " + ", ".join(by_folded[key] for key in near) + "?"
        known = sorted(by_folded.values())
        return f"; it knows {', '.join(known)}" if len(known) <= 30 else f"; it knows {len(known)} classes"
