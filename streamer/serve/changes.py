"""What differs between two settings of a site. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.config.site import SiteSettings


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of cameras.

    Attributes:
        added, removed: cameras of one of the two settings only.
        changed: cameras whose settings differ, or whose detector's settings differ.
        unchanged: the others.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


def compare(old: SiteSettings, new: SiteSettings) -> Changes:
    """The changes from `old` to `new`."""
    both = [name for name in new.cameras if name in old.cameras]
    changed = [
        name
        for name in both
        if old.cameras[name] != new.cameras[name]
        or old.detector_of(old.cameras[name]) != new.detector_of(new.cameras[name])
    ]
    return Changes(
        tuple(name for name in new.cameras if name not in old.cameras),
        tuple(name for name in old.cameras if name not in new.cameras),
        tuple(changed),
        tuple(name for name in both if name not in changed),
    )
