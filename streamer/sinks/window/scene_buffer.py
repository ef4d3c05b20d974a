"""The scenes between the run, the sender and the listener of a window. Any thread may call any method.

The run puts scenes, the listener passes on the requests of the window, and the sender takes the scenes to send. At most
three scenes are held: the newest, and the last two that were sent.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum

from streamer.flow.queues import Closed
from streamer.interfaces import Scene
from streamer.sinks.window.process import Size


class End(Enum):
    """Why no more scenes are shown."""

    RELEASED = "the run is ending"
    CLOSED = "the user closed the window"
    LOST = "the process of the window ended"


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A scene to send.

    Attributes:
        number: of the scene, counted from 1.
        scene: to show.
        view: inner width and height of the window in pixels.
        hud: draw the head-up line.
        message: text for the window to show for some seconds; may be empty.
    """

    number: int
    scene: Scene
    view: Size
    hud: bool
    message: str = ""


class SceneBuffer:
    """Hands scenes over between three threads; `end` ends every wait.

    Args:
        keeps_all: `put` waits until the previous scene was sent, so that every scene is shown; otherwise the newest
            scene replaces one that was not sent yet.
        hud: whether the head-up line is shown at first.
    """

    def __init__(self, *, keeps_all: bool, hud: bool) -> None:
        self._keeps_all = keeps_all
        self._hud = hud
        self._changed = threading.Condition()
        self._newest: tuple[int, Scene] | None = None
        self._sent: deque[tuple[int, Scene]] = deque(maxlen=2)
        self._next: tuple[int, Size] | None = None  # requested: the first scene after this number
        self._again: tuple[int, Size] | None = None  # requested: the scene with this number
        self._message = ""  # for the next delivery
        self._end: End | None = None
        self._cause: BaseException | None = None

    def put(self, scene: Scene) -> None:
        """Add a scene of the run. Raises Closed after `end` (`ended` gives the reason)."""
        with self._changed:
            if self._keeps_all:
                self._changed.wait_for(lambda: self._end is not None or not self._has_unsent())
            if self._end is not None:
                raise Closed
            self._newest = (1 if self._newest is None else self._newest[0] + 1, scene)
            self._changed.notify_all()

    def request_next(self, number: int, view: Size) -> None:
        """The window shows this number and requests the first scene after it."""
        with self._changed:
            self._next = (number, view)
            self._changed.notify_all()

    def request_again(self, number: int, view: Size, *, toggle_hud: bool = False, message: str = "") -> None:
        """The window gets this number again, possibly with the head-up line toggled or with a message.

        If a newer scene was sent meanwhile, that scene or the next has the message.
        """
        with self._changed:
            self._hud ^= toggle_hud
            self._message = message or self._message
            self._again = (number, view)
            self._changed.notify_all()

    def pause(self) -> None:
        """Cancel the request for the next scene."""
        with self._changed:
            self._next = None

    def take(self) -> Delivery:
        """Wait for the next scene to send. Raises Closed after `end`."""
        with self._changed:
            delivery: Delivery | None = None

            def is_due() -> bool:
                nonlocal delivery
                delivery = self._due()
                return delivery is not None or self._end is not None

            self._changed.wait_for(is_due)
            if delivery is None or self._end is not None:
                raise Closed
            self._changed.notify_all()
            return delivery

    def sent(self, number: int) -> tuple[Scene, bool] | None:
        """A recently sent scene, and whether the head-up line is shown on it."""
        with self._changed:
            return next(((scene, self._hud) for each, scene in self._sent if each == number), None)

    def end(self, end: End, cause: BaseException | None = None) -> None:
        """End all waits; only the first call sets the reason."""
        with self._changed:
            if self._end is None:
                self._end, self._cause = end, cause
            self._changed.notify_all()

    @property
    def ended(self) -> tuple[End | None, BaseException | None]:
        """The reason of the end, and the error that caused it."""
        with self._changed:
            return self._end, self._cause

    def _has_unsent(self) -> bool:
        return self._newest is not None and not any(number == self._newest[0] for number, _ in self._sent)

    def _due(self) -> Delivery | None:
        delivery = self._next_delivery()
        if delivery is not None and self._message:
            delivery, self._message = replace(delivery, message=self._message), ""
        return delivery

    def _next_delivery(self) -> Delivery | None:
        if self._again is not None:
            (number, view), self._again = self._again, None
            # Only the last one sent: an older one must not follow a newer one.
            if self._sent and self._sent[-1][0] == number:
                return Delivery(number, self._sent[-1][1], view, self._hud)
        if self._next is not None and self._newest is not None and self._newest[0] > self._next[0]:
            (number, scene), view, self._next = self._newest, self._next[1], None
            if self._has_unsent():
                self._sent.append(self._newest)
            return Delivery(number, scene, view, self._hud)
        return None
