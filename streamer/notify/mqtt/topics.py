"""The topics of a target. Pure.

    <topic>/status                                   online, offline (last will)                retained
    <topic>/events/<camera>/<rule>/<type>            each message about an event
    <topic>/cameras/<camera>/state                   running, lost, ...                         retained
    <topic>/cameras/<camera>/lines/<line>            {"in": 3, "out": 1}                        retained
    <topic>/cameras/<camera>/zones/<zone>            {"inside": 2, "entered": 7, ...}           retained
    <topic>/cameras/<camera>/counts/<rule>           {"number": 4, "level": "above"}            retained
    <topic>/cameras/<camera>/presence/<rule>         {"present": true}                          retained
    <topic>/cameras/<camera>/last_event              the last message about an event            retained
    <topic>/cameras/<camera>/snapshot                the picture of the last event, JPEG        retained

Each message has one topic, so a subscriber of `<topic>/#` gets it once. `<topic>/events/gate/#` are the events of a
camera, `<topic>/events/+/+/crossing` all crossings.
"""

from __future__ import annotations

import re

_NOT_IN_A_LEVEL = re.compile(r"[/+#%\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NO_NAME = "-"
"""The level of an event without a rule."""


def level(name: str) -> str:
    """A name as one level of a topic: `/`, `+`, `#`, `%`, control characters and bytes that are no text are encoded."""
    encoded = _NOT_IN_A_LEVEL.sub(
        lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape")), name
    )
    return encoded or _NO_NAME


class Topics:
    """The topics below a common begin.

    Args:
        begin: `topic` of the settings.
    """

    def __init__(self, begin: str) -> None:
        self.begin = begin
        self.status = f"{begin}/status"

    def event(self, camera: str, rule: str, kind: str) -> str:
        """The topic of a message about an event; `kind` is its type."""
        return f"{self.begin}/events/{level(camera)}/{level(rule)}/{level(kind)}"

    def events_of(self, camera: str, rule: str | None = None) -> str:
        """The filter for all messages about a camera, or about one of its rules."""
        return f"{self.begin}/events/{level(camera)}/{'+' if rule is None else level(rule)}/+"

    def camera(self, camera: str) -> str:
        """What the topics of the readings of a camera begin with."""
        return f"{self.begin}/cameras/{level(camera)}"

    def state(self, camera: str) -> str:
        """The condition of a camera."""
        return f"{self.camera(camera)}/state"

    def rule(self, camera: str, group: str, name: str) -> str:
        """The reading of a rule; `group` is its section in the settings: lines, zones, counts or presence."""
        return f"{self.camera(camera)}/{group}/{level(name)}"

    def last_event(self, camera: str) -> str:
        """The last message about an event of a camera."""
        return f"{self.camera(camera)}/last_event"

    def snapshot(self, camera: str) -> str:
        """The picture of the last event of a camera."""
        return f"{self.camera(camera)}/snapshot"
