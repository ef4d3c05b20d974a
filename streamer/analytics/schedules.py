"""Which rules apply at a time of day. Owned by the display thread of one stream."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import UTC, datetime

from streamer.config.analytics import AnalyticsSettings, RuleSettings
from streamer.config.analytics.schedule import zone_of


class Schedules:
    """The schedules of the rules of one stream.

    They are looked up once a minute of the wall clock: spans and changes of daylight saving time begin on whole
    minutes.

    Args:
        settings: the rules, and the time zone of their schedules.
    """

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._rules: Sequence[RuleSettings] = [rule for rule in settings.rules if rule.schedule is not None]
        self._zone = None if settings.timezone is None else zone_of(settings.timezone)
        self._minute = -1
        self._off: Set[str] = frozenset()

    def off(self, wall_clock_s: float | None) -> Set[str]:
        """The names of the rules that do not apply.

        Args:
            wall_clock_s: seconds since 1970; None for a file, which has no time of day: all rules apply.
        """
        if wall_clock_s is None or not self._rules:
            return frozenset()
        minute = int(wall_clock_s // 60)
        if minute != self._minute:
            self._minute = minute
            now = datetime.fromtimestamp(minute * 60, UTC).astimezone(self._zone)
            self._off = frozenset(rule.name for rule in self._rules if not _applies(rule, now))
        return self._off


def _applies(rule: RuleSettings, now: datetime) -> bool:
    weekday, minute = now.weekday(), now.hour * 60 + now.minute
    return rule.schedule is None or any(span.has(weekday, minute) for span in rule.schedule)
