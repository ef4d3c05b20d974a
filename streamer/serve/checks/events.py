"""Checks where events are kept, and the targets that are told of them, without opening anything. The main thread."""

from __future__ import annotations

import os
from collections.abc import Iterator

from streamer.config.analytics.camera_watch import CAMERA_RULE
from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.events.service import require_store
from streamer.notify.notifier import build
from streamer.system.suggestions import nearest


def described_events(store: StoreSettings, notify: NotifySettings) -> list[str]:
    """Where events are kept, and who is told, one line; none if they are not kept."""
    told = [f"{name} ({settings.type})" for name, settings in notify.targets.items()]
    return [f"events: {store.folder}{', told to ' if told else ''}{', '.join(told)}"] if store.folder else []


def event_problems(store: StoreSettings, notify: NotifySettings) -> Iterator[str]:
    """What keeps events from being stored or told, one line each."""
    for name, settings in notify.targets.items():
        try:
            build(name, settings, store.folder).close()
        except ConfigError as error:
            yield str(error)
    try:
        require_store(store, notify)
    except ConfigError as error:
        yield str(error)
    if store.folder is not None:
        exists = next(one for one in (store.folder.absolute(), *store.folder.absolute().parents) if one.exists())
        if not exists.is_dir():
            yield f"store.folder: {exists} is no folder; choose another one"
        elif not os.access(exists, os.W_OK | os.X_OK):
            yield f"store.folder: cannot write in {exists}; choose another folder, or change its owner or rights"


def names_without_events(site: SiteSettings) -> Iterator[str]:
    """The cameras, rules and zones that a target names and that do not exist, one line each.

    They are no error: the camera may be added while the site runs.
    """
    rules = {rule.name for camera in site.cameras.values() for rule in camera.analytics.rules}
    zones = {zone.name for camera in site.cameras.values() for zone in camera.analytics.zones}
    known = {"cameras": set(site.cameras), "rules": rules | {CAMERA_RULE}, "zones": zones}
    for name, target in site.notify.targets.items():
        for field, names in known.items():
            for one in getattr(target, field):
                if one not in names:
                    kind = field.removesuffix("s")
                    yield f"warning: notify.targets.{name}.{field}: no {kind} {one!r}{nearest(one, names)}"
