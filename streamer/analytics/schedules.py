"""Which rules apply at a time of the week. Owned by the display thread of one stream."""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set

from streamer.config.analytics import RuleSettings
from streamer.config.schedule import ScheduleSettings

log = logging.getLogger(__name__)


class Schedules:
    """The schedules of the rules of one stream.

    They are looked up once a minute of the wall clock: spans begin, and daylight saving time changes, on whole minutes.

    Args:
        rules: all rules of the stream.
    """

    def __init__(self, rules: Sequence[RuleSettings]) -> None:
        self._spans = {rule.name: rule.schedule for rule in rules if rule.schedule is not None}
        self._minute = -1
        self._warned = False
        self._off: Set[str] = frozenset()

    def off(self, wall_clock_s: float | None) -> Set[str]:
        """The names of the rules that do not apply. Logs a warning, once, if the frame has no time of day.

        Args:
            wall_clock_s: seconds since 1970; None for a file, which has no time of day: all rules apply.
        """
        if not self._spans:
            return frozenset()
        if wall_clock_s is None:
            self._warn()
            return frozenset()
        minute = int(wall_clock_s // 60)
        if minute != self._minute:
            self._minute = minute
            self._off = {name for name, spans in self._spans.items() if not _applies(spans, minute * 60.0)}
        return self._off

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            named = ", ".join(self._spans)
            log.warning("the schedule of %s is not used: a file has no time of day, so it always applies", named)


def _applies(spans: Sequence[ScheduleSettings], wall_clock_s: float) -> bool:
    return any(span.contains(wall_clock_s) for span in spans)
