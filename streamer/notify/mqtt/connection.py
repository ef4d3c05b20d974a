"""The connection of a target to its broker, opened again whenever it ends, on a thread of its own.

That thread owns the session; other threads give it messages and readings under a lock and wake it. A batch of messages
fails with its connection: the outbox has it, and tries it again. Readings are kept here, the newest of each topic, and
are published again on every new connection, so a broker that has lost its retained messages gets them back.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from streamer.notify.mqtt.batch import Batch
from streamer.notify.mqtt.broker import Broker
from streamer.notify.mqtt.session import Publication, Received, Session, SessionEnded, ready
from streamer.notify.target import DeliveryError
from streamer.system.backoff import Backoff
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 30.0
"""Between attempts while no message waits. A message is an attempt at once."""
_STABLE_S = 30.0
"""A connection that lasted so long was a success; before that, waits go on growing."""
_SPARE_S = 5.0
"""The thread of the connection says what is late; this is for a name server that does not answer."""
_END_S, _STOPPED = 3.0, "the program ends"


class Connection:
    """The thread starts with the first message or reading.

    Args:
        broker: to connect to.
        status_topic: see `Session`.
        subscriptions: topics whose messages `received` gets, on the thread of the connection.
        received: see `subscriptions`.
    """

    def __init__(
        self,
        broker: Broker,
        status_topic: str | None,
        subscriptions: Sequence[str] = (),
        received: Callable[[Received], None] = lambda _: None,
    ) -> None:
        self._broker, self._settings, self._name = broker, broker.settings, broker.path.rpartition(".")[2]
        self._subscriptions = tuple(subscriptions)
        self._status_topic, self._received = status_topic, received
        self._waker, self._wakes = socket.socketpair()
        self._waker.setblocking(False)
        self._wakes.setblocking(False)
        self._lock = threading.Lock()
        self._thread: Thread | None = None
        self._batches: deque[Batch] = deque()  # not sent yet
        self._open_batches: set[Batch] = set()
        self._cancelled = self._ended = False
        self._retained: dict[str, bytes] = {}
        self._changed: set[str] = set()
        # Of the thread alone:
        self._sent: list[Batch] = []
        self._in_flight: set[str] = set()
        self._told = ""
        self._has_refused = False  # a reading; the first refusal is told

    def deliver(self, publications: Sequence[Publication], timeout_s: float) -> bool:
        """Any thread: publish messages in their order, and wait for all acknowledgements.

        Args:
            publications: retained ones are readings; the broker may refuse them.
            timeout_s: for the connection, and again for the acknowledgements.

        Returns:
            Whether the last one has a subscriber, as far as the broker says it.

        Raises:
            DeliveryError: not delivered, or perhaps not.
        """
        with self._sending([publications], timeout_s) as (batch,):
            return self._result(batch, timeout_s)

    def deliver_all(self, messages: Sequence[Sequence[Publication]], timeout_s: float) -> int:
        """Any thread: the same for several messages, which are sent without waiting for each other.

        Returns:
            How many of them, from the first one on, are delivered.
        """
        count = 0
        with suppress(DeliveryError), self._sending(messages, timeout_s) as batches:
            for batch in batches:
                self._result(batch, timeout_s)
                count += 1
        return count

    @contextmanager
    def _sending(self, messages: Sequence[Sequence[Publication]], timeout_s: float) -> Iterator[Sequence[Batch]]:
        """Send messages; those without a result at the end are given up."""
        alone = len(messages) == 1
        batches = [Batch(one, timeout_s, self._tell_refused, is_alone=alone) for one in messages]
        with self._lock:
            if self._cancelled:
                raise DeliveryError(_STOPPED)
            self._batches += batches
            self._open_batches |= set(batches)
        self._wake()
        try:
            yield batches
        finally:
            with self._lock:
                self._open_batches -= set(batches)
            for batch in batches:
                batch.fail(DeliveryError("given up"))

    def _result(self, batch: Batch, timeout_s: float) -> bool:
        try:
            return batch.result.result(2 * timeout_s + _SPARE_S)
        except TimeoutError as error:
            raise DeliveryError(f"{self._broker}: no connection within {timeout_s:g} s") from error

    def show(self, readings: Mapping[str, bytes], *, start: bool = True) -> None:
        """Any thread: retain the payloads of these topics from now on; an empty payload deletes. Returns at once.

        Args:
            readings: payloads by topic.
            start: connect if there is no connection yet.
        """
        with self._lock:
            changed = {topic for topic, payload in readings.items() if self._retained.get(topic) != payload}
            self._retained.update(readings)
            self._changed |= changed
        if changed:
            self._wake(start=start)

    def repeat(self, begin: str) -> None:
        """Any thread: publish once more what is retained of the topics that begin so."""
        with self._lock:
            self._changed |= {topic for topic in self._retained if topic.startswith(begin)}
        self._wake()

    def cancel(self) -> None:
        """Any thread: `deliver` raises at once, now and from now on."""
        with self._lock:
            self._cancelled = True
            for batch in self._open_batches:
                batch.fail(DeliveryError(_STOPPED))

    def close(self) -> None:
        """Publish `offline` and end the connection, once."""
        self.cancel()
        with self._lock:
            self._ended = True
            thread = self._thread
        with suppress(OSError):  # it is awake already, or closed
            self._wakes.send(b".")
        if thread is not None:
            thread.join(_END_S)
        if thread is None or not thread.is_alive():
            self._waker.close()
            self._wakes.close()

    def _wake(self, *, start: bool = True) -> None:
        with self._lock:
            if self._ended:
                return
            if start and self._thread is None:
                self._thread = Thread(f"mqtt-{self._name}", self._run, shared=True)
                self._thread.start()
            with suppress(BlockingIOError):  # it is awake already
                self._wakes.send(b".")

    def _run(self) -> None:
        backoff = Backoff(longest_s=_LONGEST_PAUSE_S)
        while not self._is_over():
            opened_s = time.monotonic()
            try:
                session = Session(self._broker, self._status_topic, self._received)
            except DeliveryError as error:
                self._fail(error)
            except Exception as error:
                self._fail(self._ended_by(error))
            else:
                self._serve(session)
                if time.monotonic() - opened_s > _STABLE_S:
                    backoff.reset()
            self._pause(backoff.next_s())

    def _serve(self, session: Session) -> None:
        """Publish and receive until the connection ends."""
        if self._told:
            log.info("notify: target %s: connected to %s", self._name, self._broker)
            self._told = ""
        with self._lock:
            self._changed = set(self._retained)
        self._in_flight.clear()
        try:
            if self._subscriptions:
                session.subscribe(*self._subscriptions)
            while not self._is_over():
                self._send(session)
                session.wait(self._waker, self._longest_wait_s())
                self._read_waker()
            self._send(session)
            session.close()
        except SessionEnded as error:
            session.fail(error)
            self._fail(error)
        except Exception as error:
            ended = self._ended_by(error)
            session.fail(ended)
            self._fail(ended)

    def _ended_by(self, error: Exception) -> SessionEnded:
        """What a bug becomes. It must not end the thread: messages would wait for ever."""
        log.exception("notify: target %s: an error of the program", self._name)
        return SessionEnded(f"{self._broker}: {type(error).__name__}: {error}")

    def _send(self, session: Session) -> None:
        """What has come since the last call. Batches first: what they retain needs no own message."""
        with self._lock:
            batches, self._batches = [batch for batch in self._batches if not batch.result.done()], deque()
            for publication in (one for batch in batches for one in batch.publications if one.retain):
                self._retained[publication.topic] = publication.payload
                self._changed.discard(publication.topic)
            topics = self._changed - self._in_flight
            self._changed -= topics
            readings = [(topic, self._retained[topic]) for topic in sorted(topics)]
        waiting = [batch for batch in self._sent if not batch.result.done()]
        if len(waiting) < len(self._sent):  # the broker works on them
            for batch in waiting:
                batch.renew()
        self._sent = waiting + batches
        for batch in batches:
            batch.send(session)
        for topic, payload in readings:
            self._in_flight.add(topic)
            session.publish(Publication(topic, payload, retain=True), partial(self._shown, topic, payload))

    def _shown(self, topic: str, payload: bytes, error: DeliveryError | None, _: bool) -> None:
        self._in_flight.discard(topic)
        with self._lock:  # without the connection, the next one deletes
            if not payload and not self._retained.get(topic) and not isinstance(error, SessionEnded):
                self._retained.pop(topic, None)
                self._changed.discard(topic)
        if error is not None and not isinstance(error, SessionEnded):
            self._tell_refused(error)

    def _tell_refused(self, error: DeliveryError) -> None:
        if not self._has_refused:
            self._has_refused = True
            log.warning("notify: target %s: %s", self._name, error)

    def _longest_wait_s(self) -> float:
        """Until paho has to send a ping, or the acknowledgement of a batch is late."""
        now_s = time.monotonic()
        late = [batch for batch in self._sent if not batch.result.done() and batch.deadline_s <= now_s]
        if late:
            raise SessionEnded(f"{self._broker}: no acknowledgement within {self._settings.timeout_s:g} s")
        deadlines = [batch.deadline_s - now_s for batch in self._sent if not batch.result.done()]
        return max(0.001, min([self._settings.keepalive_s / 4, *deadlines]))

    def _pause(self, wait_s: float) -> None:
        """Wait, unless a message comes or the connection is closed."""
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            with self._lock:
                if self._batches or self._ended:
                    return
            ready([self._waker], [], left_s)
            self._read_waker()

    def _read_waker(self) -> None:
        with suppress(BlockingIOError):
            while len(self._waker.recv(4096)) == 4096:
                pass

    def _is_over(self) -> bool:
        with self._lock:
            return self._ended

    def _fail(self, error: DeliveryError) -> None:
        """All batches have this error. If there is none, it is written to the log, once."""
        with self._lock:
            batches, self._batches = [*self._sent, *self._batches], deque()
        self._sent = []
        waiting = [batch for batch in batches if not batch.result.done()]
        # Nobody reports an error of messages that are sent together: the first of them fails once more, alone.
        if not waiting or any(batch.is_alone for batch in waiting):
            error.is_told, self._told = str(error) == self._told, str(error)
        for batch in waiting:
            batch.fail(error)
        if not waiting and not error.is_told:
            log.warning("notify: target %s: %s", self._name, error)
