"""Messages as sentences, for persons. Pure functions; any thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType

from streamer.notify.payload import happened
from streamer.notify.target import Message
from streamer.store.records import EventRecord
from streamer.values.events import EventKind, EventPhase

_SENTENCES: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.CROSSING: "{label} crossed {rule}{way}",
        EventKind.ENTER: "{label} entered {rule}",
        EventKind.DWELL: "{label} stays in {rule}",
        EventKind.LEAVE: "{label} left {rule}{after}",
        EventKind.APPEAR: "{label} appeared ({rule})",
        EventKind.DISAPPEAR: "{label} disappeared ({rule}){after}",
        EventKind.ABOVE: "{rule}: {number}, more than the limit",
        EventKind.BELOW: "{rule}: {number}, fewer than the limit",
        EventKind.NORMAL: "{rule}: within the limits again{after}",
        EventKind.CAMERA_LOST: "The camera sends no frames",
        EventKind.CAMERA_BACK: "The camera sends frames again{after}",
        EventKind.CAMERA_MOVED: "The camera shows another view",
        EventKind.CAMERA_COVERED: "The camera is covered, blinded or out of focus",
        EventKind.CAMERA_CLEAR: "The camera shows details again{after}",
    }
)
_MINUTE_S, _HOUR_S = 60, 3600


def sentence(message: Message) -> str:
    """What a message tells, without the camera and without a full stop: `Person crossed driveway (in)`.

    A message about a file tells the event that the file belongs to.
    """
    event, phase = message.event, message.phase or EventPhase.START
    told = _SENTENCES[happened(event.kind, phase)].format(
        label=event.label or "An object",
        rule=event.rule or "the picture",
        way=f" ({event.direction})" if event.direction else "",
        after=_after(event) if phase is EventPhase.END else "",
        number="1 object" if event.value == 1 else f"{event.value or 0} objects",
    )
    return f"{told}: {event.text}" if event.text else told


def local_time(message: Message) -> str:
    """When it happened, as a clock of this machine shows it: `2026-11-26 22:35:03`."""
    event = message.event
    at_end = message.phase is EventPhase.END and event.end_time is not None
    time_s = event.end_time if at_end and event.end_time is not None else event.start_time
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_s))


def _after(event: EventRecord) -> str:
    if event.end_time is None:
        return ""
    lasted_s = max(0.0, event.end_time - event.start_time)
    if lasted_s < _MINUTE_S:
        return f" after {lasted_s:.0f} s"
    if lasted_s < _HOUR_S:
        return f" after {lasted_s / _MINUTE_S:.0f} min"
    return f" after {lasted_s / _HOUR_S:.1f} h"
