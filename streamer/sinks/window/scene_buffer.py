"""What the run, the sender and the listener of a window have for each other. Any thread may call any method.

The run puts scenes in, the listener tells what the window asks for, the sender takes what is due. At most three scenes
are held: the newest, and the last two that were sent.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from enum import Enum

from streamer.flow.queues import Closed
from streamer.interfaces import Scene
from streamer.sinks.window.process import Size


class Ending(Enum):
    """Why no more is shown."""

    RELEASED = "the run is ending"
    CLOSED = "the user closed the window"
    LOST = "the window ended by itself"


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A scene to be sent.

    Attributes:
        number: of the scene, counted from 1.
        scene: with its picture.
        view: inside of the window, width and height in pixels.
        hud: with the head-up line.
    """

    number: int
    scene: Scene
    view: Size
    hud: bool


class Exchange:
    """The hand-off between three threads, where every wait ends with `end`.

    Args:
        holds_run: `put` waits until the scene before has been sent, so that every scene is shown; else the newest
            takes the place of one that was not sent yet.
        hud: whether the head-up line is shown at first.
    """

    def __init__(self, *, holds_run: bool, hud: bool) -> None:
        self._holds_run = holds_run
        self._hud = hud
        self._changed = threading.Condition()
        self._newest: tuple[int, Scene] | None = None
        self._sent: deque[tuple[int, Scene]] = deque(maxlen=2)
        self._next: tuple[int, Size] | None = None  # wanted: the first after this number
        self._again: tuple[int, Size] | None = None  # wanted: this number
        self._ending: Ending | None = None
        self._cause: BaseException | None = None

    def put(self, scene: Scene) -> None:
        """The run has a scene. Raises Closed once there was an end (`ending` tells which)."""
        with self._changed:
            if self._holds_run:
                self._changed.wait_for(lambda: self._ending is not None or not self._unsent())
            if self._ending is not None:
                raise Closed
            self._newest = (1 if self._newest is None else self._newest[0] + 1, scene)
            self._changed.notify_all()

    def ask_next(self, number: int, view: Size) -> None:
        """The window shows this number and wants the first one after it."""
        with self._changed:
            self._next = (number, view)
            self._changed.notify_all()

    def ask_again(self, number: int, view: Size, *, toggle_hud: bool = False) -> None:
        """The window wants this number again, perhaps with the head-up line on or off."""
        with self._changed:
            self._hud ^= toggle_hud
            self._again = (number, view)
            self._changed.notify_all()

    def pause(self) -> None:
        """The window wants nothing for now."""
        with self._changed:
            self._next = None

    def take(self) -> Order:
        """The next scene to send, waiting for one. Raises Closed at the end."""
        with self._changed:
            order: Order | None = None

            def due() -> bool:
                nonlocal order
                order = self._due()
                return order is not None or self._ending is not None

            self._changed.wait_for(due)
            if order is None or self._ending is not None:
                raise Closed
            self._changed.notify_all()
            return order

    def sent(self, number: int) -> tuple[Scene, bool] | None:
        """A scene that was sent lately, and whether the head-up line belongs on it."""
        with self._changed:
            return next(((scene, self._hud) for each, scene in self._sent if each == number), None)

    def end(self, ending: Ending, cause: BaseException | None = None) -> None:
        """Wake everybody; the first end is the one that counts."""
        with self._changed:
            if self._ending is None:
                self._ending, self._cause = ending, cause
            self._changed.notify_all()

    @property
    def ending(self) -> tuple[Ending | None, BaseException | None]:
        """Why it ended, with the error behind it if there is one."""
        with self._changed:
            return self._ending, self._cause

    def _unsent(self) -> bool:
        return self._newest is not None and not any(number == self._newest[0] for number, _ in self._sent)

    def _due(self) -> Order | None:
        if self._again is not None:
            (number, view), self._again = self._again, None
            # Not an old one once a newer one is on its way.
            if self._sent and self._sent[-1][0] == number:
                return Order(number, self._sent[-1][1], view, self._hud)
        if self._next is not None and self._newest is not None and self._newest[0] > self._next[0]:
            (number, scene), view, self._next = self._newest, self._next[1], None
            if self._unsent():
                self._sent.append(self._newest)
            return Order(number, scene, view, self._hud)
        return None
