"""Settings of rules that cannot be: each is refused with one line that has the path of the setting."""

from __future__ import annotations

import pytest

from streamer.config.analytics import AnalyticsSettings
from streamer.config.section import validated
from streamer.errors import ConfigError

SQUARE = {"name": "door", "points": [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]}


def span(**values: object) -> dict[str, object]:
    return {"zones": [{**SQUARE, "schedule": [values]}]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lines": [{"name": "a", "points": [[0.1, 0.5]]}]}, "lines.0.points: a line has at least two points, not 1"),
        ({"lines": [{"name": "a", "points": [[0.1, 0.5], [0.1, 0.5]]}]}, "given twice in a row"),
        ({"lines": [{"name": "a", "points": [[0.1, 0.5], [1.2, 0.5]]}]}, "the point 1.2,0.5 is outside the picture"),
        ({"lines": [{"name": "a=b", "points": [[0, 0], [1, 1]]}]}, "lines.0.name: a name has 1 to 64 characters"),
        ({"zones": [{"name": "a", "points": [[0, 0], [1, 1]]}]}, "zones.0.points: a zone has at least three points"),
        ({"zones": [{"name": "a", "points": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}, "the polygon crosses itself: 0,0 to"),
        ({"zones": [{"name": "a", "points": [[0, 0], [0.5, 0], [0.2, 0]]}]}, "folds back on itself at"),
        ({"zones": [SQUARE], "lines": [{"name": "door", "points": [[0, 0], [1, 1]]}]}, "have the name 'door'"),
        ({"zones": [SQUARE], "presence": [{"name": "door"}]}, "two rules have the name 'door'; give each its own"),
        ({"counts": [{"name": "camera"}]}, "'camera' is the rule of events about the camera itself; give it another"),
        ({"zones": [{"name": "a", "points": [[0, 0], [float("nan"), 1], [1, 0]]}]}, "zones.0.points: the point nan,1"),
        ({"zones": [{**SQUARE, "loiter_s": 3}]}, "zones.0.loiter_s: no such setting; did you mean "),
        ({"zones": [{**SQUARE, "min_score": 2}]}, "zones.0.min_score: input should be less than or equal to 1"),
        ({"zones": [{**SQUARE, "max_inside": 1, "min_inside": 3}]}, "zones.0: min_inside is 3, more than max_inside, "),
        ({"counts": [{"name": "n", "max_count": -1}]}, "counts.0.max_count: input should be greater than or equal to"),
        ({"counts": [{"name": "n", "min_count": 3, "max_count": 2}]}, "counts.0: min_count is 3, more than max_count"),
        ({"presence": [{"name": "n", "appear_s": -1}]}, "presence.0.appear_s: input should be greater than or"),
        ({"zones": [{**SQUARE, "schedule": []}]}, "zones.0.schedule: an empty schedule never applies; leave it out"),
        (span(days=["mon", "tus"]), "zones.0.schedule.0.days: no day 'tus'; the days are mon, tue, wed, thu, fri, sat"),
        (span(days=["fryday"]), "zones.0.schedule.0.days: no day 'fryday'; the days are"),
        (span(days=[]), "zones.0.schedule.0.days: without days a schedule never applies"),
        (span(days="mon"), "zones.0.schedule.0.days: give a list of days, such as [mon, tue]"),
        (span(start="25:00"), "zones.0.schedule.0.start: a time is between 00:00 and 24:00, not 25:00"),
        (span(end="6 pm"), "zones.0.schedule.0.end: a time is between 00:00 and 24:00, not 6 pm"),
        (span(start="08:00", end="08:00"), "schedule.0: the span from 08:00 to 08:00 never applies; leave both out"),
        (
            span(timezone="Europe/Berln"),
            "schedule.0.timezone: no time zone 'Europe/Berln'; did you mean Europe/Berlin?",
        ),
        (span(timezone="CEST/DE"), "zones.0.schedule.0.timezone: no time zone 'CEST/DE'; give a name such as"),
    ],
)
def test_rules_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        validated(AnalyticsSettings, settings, "analytics")
    assert message in str(refused.value)
    assert str(refused.value).startswith("analytics")
    assert "\n" not in str(refused.value)
