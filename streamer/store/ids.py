"""Ids of events: ULIDs, which sort by the time at which they were made. Any thread.

A ULID is a time of 48 bits (ms since 1970) and 80 random bits, as 26 characters of Crockford's base 32
(https://github.com/ulid/spec). Within a program ids rise strictly, also if the clock steps back: the time is then that
of the last id, and the random part is counted up.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Callable

LENGTH = 26
# All letters but I, L, O and U. They are not spelled here: a password that the source code contains counts as an
# ordinary word, which messages may show (`streamer.system.secrets.is_common`).
_ALPHABET = string.digits + "".join(letter for letter in string.ascii_uppercase if letter not in "ILOU")
_RANDOM_BITS = 80
_TIME_BITS = 48
_CHARACTERS_OF_TIME = 10


class Ulids:
    """Makes ids that rise strictly.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> str:
        """The next id."""
        with self._lock:
            now_ms = min(max(int(self._clock() * 1000), 0), (1 << _TIME_BITS) - 1)
            fresh = now_ms << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
            self._last = fresh if now_ms > self._last >> _RANDOM_BITS else self._last + 1
            return _text(self._last)


new_id = Ulids()
"""The next id of this program."""


def is_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return len(text) == LENGTH and text[0] <= "7" and all(character in _ALPHABET for character in text)


def time_of(event_id: str) -> float:
    """When an id was made, seconds since 1970.

    Raises:
        ValueError: it is no id.
    """
    if not is_id(event_id):
        raise ValueError(f"{event_id!r} is no id of an event")
    number = 0
    for character in event_id[:_CHARACTERS_OF_TIME]:
        number = number << 5 | _ALPHABET.index(character)
    return number / 1000


def _text(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
