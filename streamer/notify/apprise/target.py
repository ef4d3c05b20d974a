"""Tells persons by e-mail, ntfy, Telegram and about a hundred other services, with the library apprise.

apprise is an extra (`notify`), and is imported when a target of this type is built. Its calls cannot be cancelled, so
each one has a thread, which may outlast `cancel`; the thread of the target waits for its result.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, ClassVar, Self

from streamer.config.notify import MessageType, TargetSettings
from streamer.errors import ConfigError
from streamer.network.secret_references import TextWithSecrets, resolved
from streamer.notify import template
from streamer.notify.apprise.sentences import local_time, sentence
from streamer.notify.target import DeliveryError, Message, TargetContext
from streamer.system.secrets import SECRETS
from streamer.system.suggestions import import_extra
from streamer.system.threads import Thread
from streamer.values.events import EventKind, EventPhase

_SPARE_S = 5.0
"""apprise limits the time for connecting and for each read; this is for what these limits do not cover."""
_MOST_REMEMBERED = 1000
_SERVICES = "https://github.com/caronc/apprise/wiki lists the services and their addresses"
_WARNINGS = (EventKind.CAMERA_LOST, EventKind.CAMERA_COVERED, EventKind.CAMERA_MOVED)
_STOPPED = "the program ends"


class AppriseSettings(TargetSettings):
    """A service for notifications, by its address in the notation of apprise."""

    url: TextWithSecrets
    """Such as `ntfy://ntfy.sh/TOPIC`, `mailto://...`, `tgram://...`. One with a secret: `${NAME}` or `${file:PATH}`."""
    title: str = "{data.camera}"
    """`{...}` are fields of the message."""
    body: str | None = None
    """Likewise; null: what happened and when, as a sentence."""
    phases: tuple[MessageType, ...] = ("moment", "start", "file")
    """By default an event is told at once, and once more when its picture is ready."""
    one_message: bool = False
    """Tell an event about an object once, with its picture, half a second after its begin. Without `events.snapshot` it
    is never told."""


class AppriseTarget:
    """See `Target`.

    Raises:
        ConfigError: apprise is not installed, does not know the address, or a secret cannot be read.
    """

    section: ClassVar[type[TargetSettings]] = AppriseSettings

    def __init__(self, name: str, settings: AppriseSettings, context: TargetContext) -> None:
        self._name, self._settings = name, settings
        template.check(settings.title, f"{context.path}.title")
        template.check(settings.body, f"{context.path}.body")
        self._service = _service(settings, f"{context.path}.url")
        self._with_picture: OrderedDict[str, None] = OrderedDict()  # events whose picture was sent; the oldest first
        self._lock = threading.Lock()  # guards the two below
        self._call: Future[None] | None = None
        self._cancelled = False

    @classmethod
    def from_settings(cls, name: str, settings: Any, context: TargetContext) -> Self:
        """See `Target`."""
        return cls(name, settings, context)

    def deliver(self, message: Message) -> str:
        """See `Target`."""
        if not self._is_told(message):
            return "not told: it brings no new picture"
        call: Future[None] = Future()
        with self._lock:
            if self._cancelled:
                raise DeliveryError(_STOPPED)
            self._call = call
        Thread(f"apprise-{self._name}", self._notify, message, call, shared=True).start()
        try:
            # apprise itself waits between two messages to a service, as its operator asks for.
            call.result(2 * self._settings.timeout_s + self._service.request_rate_per_sec + _SPARE_S)
        except TimeoutError as error:
            raise DeliveryError(f"{self._service.service_name}: no answer") from error
        if message.snapshot is not None:
            self._remember(message.event.id)
        return f"{self._service.service_name} has accepted it"

    def cancel(self) -> None:
        """See `Target`."""
        with self._lock:
            self._cancelled = True
            if self._call is not None:
                _settle(self._call, DeliveryError(_STOPPED))

    def close(self) -> None:
        """See `Target`. Each call has its own connection."""

    def _is_told(self, message: Message) -> bool:
        if message.phase is None:
            has_picture = "snapshot" in message.payload["files"] and message.snapshot is not None
            return has_picture and self._settings.snapshot and message.event.id not in self._with_picture
        is_first = message.phase in (EventPhase.MOMENT, EventPhase.START)
        return not (self._settings.one_message and is_first and message.event.track)

    def _remember(self, event_id: str) -> None:
        self._with_picture[event_id] = None
        while len(self._with_picture) > _MOST_REMEMBERED:
            self._with_picture.popitem(last=False)

    def _notify(self, message: Message, call: Future[None]) -> None:
        """A thread of its own: one call of apprise."""
        attach = str(message.snapshot) if self._settings.snapshot and message.snapshot is not None else None
        body = self._settings.body
        with _Reasons() as reasons:
            try:
                is_accepted = self._service.notify(
                    title=template.text_of(self._settings.title, message.payload),
                    body=f"{sentence(message)}, {local_time(message)}"
                    if body is None
                    else template.text_of(body, message.payload),
                    notify_type="warning" if message.event.kind in _WARNINGS else "info",
                    attach=_attachment(attach),
                )
            except Exception as error:  # of a plugin of apprise: the message is tried again
                reasons.add(f"{type(error).__name__}: {error}")
                is_accepted = False
        reason = SECRETS.hide(reasons.text) or "it refuses the message"
        _settle(call, None if is_accepted else DeliveryError(f"{self._service.service_name}: {reason}"))


def _service(settings: AppriseSettings, setting: str) -> Any:
    """The service of apprise at an address."""
    apprise = import_extra("apprise", "notify")
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    url = resolved(settings.url, setting)
    asset = apprise.AppriseAsset(app_id="Streamer", app_desc="Streamer", app_url="", image_url_mask="")
    with _Reasons() as reasons:
        service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        reason = f" ({SECRETS.hide(reasons.text)})" if reasons.text and url == settings.url else ""
        raise ConfigError(f"{setting}: apprise does not know this address{reason}; {_SERVICES}")
    if "${" not in settings.url and service.url(privacy=True) != service.url(privacy=False):
        SECRETS.remember(settings.url)
        raise ConfigError(
            f"{setting}: the address has a secret; give it as ${{NAME}}, a variable of the environment, "
            "or as ${file:PATH}, the first line of a file"
        )
    service.socket_connect_timeout = service.socket_read_timeout = settings.timeout_s
    return service


def _attachment(path: str | None) -> Any:
    return None if path is None else import_extra("apprise", "notify").AppriseAttachment(path)


def _settle(call: Future[None], error: DeliveryError | None) -> None:
    with suppress(InvalidStateError):  # it was cancelled before
        if error is None:
            call.set_result(None)
        else:
            call.set_exception(error)


class _Reasons(logging.Handler):
    """Collects what apprise logs on this thread, its only way to say why something failed. It logs nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._texts: list[str] = []

    def __enter__(self) -> Self:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if record.thread == self._thread:
            self.add(record.getMessage())

    def add(self, text: str) -> None:
        """Add a reason."""
        self._texts.append(" ".join(text.split()).rstrip("."))

    @property
    def text(self) -> str:
        """All reasons in one line."""
        return "; ".join(self._texts)
