"""Settings of the rules that watch a stream: lines, zones, counts and presence. Any thread may read them."""

from streamer.config.analytics.rules import (
    AnalyticsSettings,
    CountSettings,
    LimitSettings,
    LineSettings,
    PresenceSettings,
    RuleSettings,
    ShapeSettings,
    ZoneSettings,
)

__all__ = [
    "AnalyticsSettings",
    "CountSettings",
    "LimitSettings",
    "LineSettings",
    "PresenceSettings",
    "RuleSettings",
    "ShapeSettings",
    "ZoneSettings",
]
