"""A message that is made to test a target, with a picture. Used by the thread of a command."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from streamer.notify.payload import message_of
from streamer.notify.target import Message
from streamer.store.ids import new_id
from streamer.store.records import Delivery, Ending, EventRecord
from streamer.values.events import EventKind, EventPhase

WIDTH, HEIGHT = 640, 360
TEXT = "Test message of Streamer"
_PICTURE = "test.jpg"


def sample_message(folder: Path, now: float | None = None) -> Message:
    """A message about a person in a zone, whose text says that it is a test.

    Args:
        folder: its picture is written there.
        now: seconds since 1970; the present if None.
    """
    now = time.time() if now is None else now
    (folder / _PICTURE).write_bytes(_picture())
    event = EventRecord(
        id=new_id(),
        camera="test",
        rule="test",
        kind=EventKind.ENTER,
        start_time=now,
        start_s=0.0,
        end_time=now,
        end_s=0.0,
        track=1,
        label="Person",
        zones=("test",),
        score=0.9,
        text=TEXT,
        ending=Ending.RULE,
        snapshot=_PICTURE,
    )
    return message_of(Delivery(1, "", event.id, EventPhase.MOMENT, event), folder)


def _picture() -> bytes:
    """A JPEG of `WIDTH` x `HEIGHT` pixels: a grey gradient with a box and the text."""
    row = np.linspace(40, 140, WIDTH).astype(np.uint8)
    picture = np.repeat(np.tile(row, (HEIGHT, 1))[:, :, None], 3, axis=2)
    cv2.rectangle(picture, (250, 90), (390, 330), (80, 200, 80), 3)
    cv2.putText(picture, TEXT, (20, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2, cv2.LINE_AA)
    encoded = cv2.imencode(".jpg", picture)[1]
    return encoded.tobytes()
