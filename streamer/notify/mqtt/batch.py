"""The publications of one message, and their result.

The thread of a connection sends them, another thread waits for the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial

from streamer.notify.mqtt.session import Publication, Session, SessionEnded
from streamer.notify.target import DeliveryError


class Batch:
    """The publications of one message.

    Args:
        publications: at least one; the readings among them are retained.
        timeout_s: for their acknowledgements, once they are sent or the broker has acknowledged those before.
        is_alone: no other message is sent with it.
        refused: called if the broker refuses a reading, which does not stop the message itself.

    Attributes:
        result: whether the last publication has a subscriber, as far as the broker says it, or a DeliveryError.
        deadline_s: monotonic clock, of `result`; infinite before they are sent. Of the sending thread.
    """

    def __init__(
        self,
        publications: Sequence[Publication],
        timeout_s: float,
        refused: Callable[[DeliveryError], None],
        *,
        is_alone: bool,
    ) -> None:
        self.publications, self.is_alone = publications, is_alone
        self._refused = refused
        self.result: Future[bool] = Future()
        self.deadline_s = float("inf")
        self._timeout_s = timeout_s
        self._left = len(publications)

    def send(self, session: Session) -> None:
        """The thread of the connection: publish them."""
        self.renew()
        for publication in self.publications:
            session.publish(publication, partial(self._acknowledged, publication))

    def renew(self) -> None:
        """The thread of the connection: `timeout_s` begins now."""
        self.deadline_s = time.monotonic() + self._timeout_s

    def fail(self, error: DeliveryError) -> None:
        """Any thread: `result` is this error, unless it is known."""
        with suppress(InvalidStateError):
            self.result.set_exception(error)

    def _acknowledged(self, publication: Publication, error: DeliveryError | None, has_subscribers: bool) -> None:
        self._left -= 1
        if error is not None and publication.retain and not isinstance(error, SessionEnded):
            self._refused(error)
            error = None
        if error is not None:
            self.fail(error)
        elif self._left == 0:
            with suppress(InvalidStateError):
                self.result.set_result(has_subscribers)
