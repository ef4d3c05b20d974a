"""Which messages a target gets: the filters of its settings, its cooldown and its quiet hours. Any thread."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from streamer.config.notify import TargetSettings
from streamer.notify.payload import FILE, happened
from streamer.store.ids import new_id
from streamer.store.records import EventRecord
from streamer.values.events import EventPhase

REMEMBERED = 10_000
"""Events whose decision is remembered: more than last at the same time."""


class MessageFilter:
    """Decides for one target. The first message of an event that passes the filters decides for all later ones.

    So a target that is told of an event is also told of its end, whatever cooldown and quiet hours say then. Decisions
    are not stored: the end of an event of a killed program is told unless the event started in quiet hours.

    Args:
        settings: of the target.
        clock: monotonic seconds, for the cooldown: a clock that is set cannot prolong it.
        now: seconds since 1970, for quiet hours.
    """

    def __init__(
        self,
        settings: TargetSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._clock, self._now = settings, clock, now
        self._first_id = new_id()  # events of this program have greater ones
        self._lock = threading.Lock()  # guards the two below
        self._told: OrderedDict[str, bool] = OrderedDict()
        self._last_s: dict[tuple[str, str], float] = {}

    def passes(self, record: EventRecord, phase: EventPhase | None) -> bool:
        """Whether the target gets the message. Remembers the decision, so call it once for each message."""
        if not self._matches(record, phase):
            return False
        with self._lock:
            if record.id not in self._told:
                self._told[record.id] = self._begins(record)
                if len(self._told) > REMEMBERED:
                    self._told.popitem(last=False)
            return self._told[record.id]

    def _matches(self, record: EventRecord, phase: EventPhase | None) -> bool:
        wanted = self._settings
        has_score = record.score is not None and wanted.min_score is not None
        named = (
            (wanted.cameras, record.camera),
            (wanted.rules, record.rule),
            (wanted.labels, record.label),
            (wanted.kinds, happened(record.kind, phase)),
            (wanted.phases, FILE if phase is None else phase.value),
        )
        return (
            all(not names or name in names for names, name in named)
            and (not wanted.zones or not set(wanted.zones).isdisjoint(record.zones))
            and not (has_score and record.score < wanted.min_score)  # type: ignore[operator]  # both are numbers
        )

    def _begins(self, record: EventRecord) -> bool:
        """Whether an event is told, by cooldown and quiet hours. With the lock."""
        is_former = record.id < self._first_id
        now = record.start_time if is_former else self._now()
        if any(span.contains(now) for span in self._settings.quiet):
            return False
        if is_former:  # what its cooldown has decided is not known; it begins none for new events
            return True
        rule, now_s = (record.camera, record.rule), self._clock()
        last_s = self._last_s.get(rule)
        if last_s is not None and now_s - last_s < self._settings.cooldown_s:
            return False
        self._last_s[rule] = now_s
        return True
