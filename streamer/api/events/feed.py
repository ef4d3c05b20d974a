"""Changes of events for any number of clients. Each change is read and written as JSON once.

The writer thread of the store tells the ids of each commit to the thread of the web server, which does the rest. A
client that does not read loses its place beyond `MOST_WAITING` events, and reads the list again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from streamer.api import answers
from streamer.api.events.models import EventAnswer, EventChange, EventId
from streamer.store import queries
from streamer.store.event_store import EventStore

MOST_WAITING = 1000
"""Events whose changes wait for a client, 1 KB each. The same events wait for all clients, so they share the texts."""
READ_TOGETHER = 100


class Follower:
    """The changes that wait for one client: of each event the newest.

    Attributes:
        lost: more events have changed than may wait.
        ended: there will be no more changes.
    """

    def __init__(self) -> None:
        self.lost = self.ended = False
        self._waiting: dict[str, str] = {}
        self._wake = asyncio.Event()

    def put(self, texts: Mapping[str, str]) -> None:
        """Add changes, as JSON by id."""
        for event_id, text in texts.items():
            self._waiting.pop(event_id, None)
            self._waiting[event_id] = text
        if len(self._waiting) > MOST_WAITING:
            self.lose()
        self._wake.set()

    def lose(self) -> None:
        """Drop what waits: there is too much."""
        self.lost = True
        self._waiting.clear()
        self._wake.set()

    def end(self) -> None:
        """End the iteration."""
        self.ended = True
        self._wake.set()

    def __aiter__(self) -> Follower:
        return self

    async def __anext__(self) -> str:
        """The next change; waits for one. Ends when it is lost or ended."""
        while not (self.lost or self.ended):
            if self._waiting:
                return self._waiting.pop(next(iter(self._waiting)))
            self._wake.clear()
            await self._wake.wait()
        raise StopAsyncIteration


class EventFeed:
    """Follows a store. Made on the thread of the web server.

    Args:
        store: of the site.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._followers: set[Follower] = set()
        self._changed: dict[str, None] = {}
        self._reading: asyncio.Task[None] | None = None
        store.on_commit(self._committed)

    @contextmanager
    def follower(self) -> Iterator[Follower]:
        """The changes from now on."""
        follower = Follower()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def _committed(self, ids: Sequence[str]) -> None:
        """Writer thread of the store."""
        with suppress(RuntimeError):  # the web server has ended
            self._loop.call_soon_threadsafe(self._put, ids)

    def _put(self, ids: Sequence[str]) -> None:
        if not self._followers:
            return
        self._changed.update(dict.fromkeys(ids))
        if len(self._changed) > MOST_WAITING:
            self._changed.clear()
            for follower in self._followers:
                follower.lose()
        elif self._reading is None:
            self._reading = self._loop.create_task(self._read())

    async def _read(self) -> None:
        """Read what has changed, until nothing is left."""
        try:
            while self._changed:
                ids = list(self._changed)[:READ_TOGETHER]
                for one in ids:
                    del self._changed[one]
                texts = await asyncio.to_thread(_texts, self._store, ids)
                for follower in self._followers:
                    follower.put(texts)
        finally:
            self._reading = None


def _texts(store: EventStore, ids: Sequence[str]) -> dict[str, str]:
    """The changes of events, as JSON by id. An event that is not found was deleted."""
    found = store.read(lambda connection: [queries.get(connection, one) for one in ids], None)
    if found is None:  # the database cannot be read now
        return {}
    return {
        one: answers.text_of(
            EventChange(change="removed", event=EventId(id=one))
            if record is None
            else EventChange(change="saved", event=EventAnswer.of(record))
        )
        for one, record in zip(ids, found, strict=True)
    }
