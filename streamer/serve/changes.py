"""What differs between two settings of a site. Pure; any thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.config.site import SiteSettings
from streamer.system.suggestions import counted

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Changes:
    """The cameras by what happens to them, in the order of the settings. `str` gives one line.

    Attributes:
        added, removed: cameras of one of the two settings only.
        changed: cameras whose effective settings differ, with the defaults merged, or those of their detector.
        unchanged: the others, which go on.
        restarts_detectors: entries of detectors whose settings differ, or which no camera used before; "" is the site's
            `detector`.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    restarts_detectors: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        kinds = {"added": self.added, "changed": self.changed, "removed": self.removed}
        told = [f"{kind} {_listed(names)}" for kind, names in kinds.items() if names]
        if not told:
            return f"nothing changed; {counted(len(self.unchanged), 'camera')}"
        return "; ".join([*told, *([f"{len(self.unchanged)} unchanged"] if self.unchanged else [])])


def compare(old: SiteSettings, new: SiteSettings) -> Changes:
    """The changes from `old` to `new`."""
    detectors = new.detectors_in_use()
    restarts = tuple(name for name, detector in detectors.items() if old.detectors_in_use().get(name) != detector)
    both = [name for name in new.cameras if name in old.cameras]
    changed = tuple(
        name for name in both if old.cameras[name] != new.cameras[name] or new.cameras[name].detector.name in restarts
    )
    return Changes(
        added=tuple(name for name in new.cameras if name not in old.cameras),
        removed=tuple(name for name in old.cameras if name not in new.cameras),
        changed=changed,
        unchanged=tuple(name for name in both if name not in changed),
        restarts_detectors=restarts,
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
