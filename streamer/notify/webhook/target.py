"""Webhooks: each message is an HTTP request with a JSON body and, with a secret, a signature. Thread of the target.

The signature is that of Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks), version v1:
HMAC-SHA256 over id, timestamp and body. `Idempotency-Key` and `webhook-id` are the same for all attempts of a message.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator

from streamer.config.notify import TargetSettings
from streamer.errors import ConfigError
from streamer.network.secret_references import SecretText, TextWithSecrets, resolved
from streamer.notify import template
from streamer.notify.target import DeliveryError, Message, TargetContext
from streamer.notify.webhook.http_client import Answer, HttpClient
from streamer.system.secrets import redacted

JSON = "application/json"
_BASE64_PREFIX = "whsec_"
_REFUSED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers about the message itself. Others, such as 401 and 404, are about the address or the login."""


class WebhookSettings(TargetSettings):
    """A web server that gets a request for each message."""

    url: TextWithSecrets
    """Its address, http or https."""
    method: Literal["POST", "PUT"] = "POST"
    secret: SecretText = ""
    """The key of the signature, shared with the receiver; none if empty. A key that begins with whsec_ is base64."""
    headers: dict[str, TextWithSecrets] = Field(default={})
    """More headers, such as {Authorization: "Bearer ${TOKEN}"}."""
    body: dict[str, Any] | list[Any] | str | None = None
    """An own body, a structure for JSON or a text, with fields such as {data.camera}; null: the whole message."""
    content_type: str | None = None
    """Of a body that is a text; null: text/plain."""
    attach: Literal["base64", "multipart"] = "base64"
    """How the picture is sent: in the JSON, or as a part of a form (multipart/form-data)."""
    verify: bool = True
    """Check the certificate of the server; false: accept any certificate."""
    ca_file: Path | None = None
    """Certificates of authorities (PEM) that are accepted instead of the system's."""

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not value.lower().startswith(("http://", "https://", "${")):
            raise ValueError("give an address that begins with https:// or http://")
        return value


class WebhookTarget:
    """See `Target`."""

    section: ClassVar[type[TargetSettings]] = WebhookSettings

    def __init__(self, settings: WebhookSettings, context: TargetContext) -> None:
        self._settings = settings
        url, self._shown = resolved(settings.url, f"{context.path}.url"), redacted(settings.url)
        if not url.lower().startswith(("http://", "https://")):
            raise ConfigError(f"{context.path}.url: give an address that begins with https:// or http://")
        self._secret = _key_of(resolved(settings.secret, f"{context.path}.secret"), f"{context.path}.secret")
        self._headers = {
            name: resolved(text, f"{context.path}.headers.{name}") for name, text in settings.headers.items()
        }
        template.check(settings.body, f"{context.path}.body")
        self._client = HttpClient(url, self._shown, verify=settings.verify, ca_file=settings.ca_file, path=context.path)

    @classmethod
    def from_settings(cls, name: str, settings: Any, context: TargetContext) -> Self:  # noqa: ARG003
        """See `Target`."""
        return cls(settings, context)

    def deliver(self, message: Message) -> str:
        """See `Target`."""
        picture = _picture(message) if self._settings.snapshot else None
        answer = self._send(message, picture)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and picture is not None:
            answer = self._send(message, None)  # a limit of the receiver: the event matters more than its picture
        self._require_success(answer)
        return f"{answer.status} {answer.reason}".strip()

    def cancel(self) -> None:
        """See `Target`."""
        self._client.cancel()

    def close(self) -> None:
        """See `Target`."""
        self._client.close()

    def _send(self, message: Message, picture: bytes | None) -> Answer:
        body, content_type = self._body(message, picture)
        headers = {"Content-Type": content_type, "Idempotency-Key": message.key, **self._headers}
        if self._secret:
            headers |= signature_headers(self._secret, message.key, int(time.time()), body)
        return self._client.request(self._settings.method, headers, body, self._settings.timeout_s)

    def _body(self, message: Message, picture: bytes | None) -> tuple[bytes, str]:
        """The body and its content type."""
        own = self._settings.body
        in_json = picture is not None and self._settings.attach == "base64" and own is None
        if isinstance(own, str):
            text, content_type = template.text_of(own, message.payload), "text/plain; charset=utf-8"
            content_type = self._settings.content_type or content_type
        else:
            content = message.payload if own is None else template.filled(own, message.payload)
            if in_json and picture is not None:
                encoded = {"content_type": "image/jpeg", "base64": base64.b64encode(picture).decode()}
                content = {**content, "picture": encoded}
            text, content_type = json.dumps(content, ensure_ascii=False), JSON
        if picture is None or self._settings.attach == "base64":
            return text.encode(), content_type
        return multipart(message.key, text.encode(), content_type, picture)

    def _require_success(self, answer: Answer) -> None:
        """Raise DeliveryError unless the receiver has the message."""
        if answer.status // 100 == 2:
            return
        what = f"{self._shown} answers {answer.status} {answer.reason}".strip()
        said = f": {answer.text}" if answer.text else ""
        match answer.status:
            case 301 | 302 | 303 | 307 | 308:
                to = redacted(answer.headers.get("location", ""))
                said = f" and redirects to {to or 'nowhere'}; requests are not redirected: set url to that address"
            case 401 | 403 | 407:
                said += "; check the login in url or headers, and secret"
        raise DeliveryError(
            what + said, permanent=answer.status in _REFUSED, retry_after_s=retry_after_s(answer.headers)
        )


def signature_headers(secret: bytes, key: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks.

    Args:
        secret: the key of the HMAC.
        key: the id of the message.
        timestamp: of the attempt, seconds since 1970.
        body: as it is sent.
    """
    signed = f"{key}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return {"webhook-id": key, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


def multipart(key: str, content: bytes, content_type: str, picture: bytes) -> tuple[bytes, str]:
    """A form with the parts `payload` and `snapshot`, and its content type; the same bytes for the same message."""
    boundary = f"streamer-{hashlib.sha256(key.encode() + picture).hexdigest()[:32]}"
    parts = (
        (f'name="payload"\r\nContent-Type: {content_type}', content),
        ('name="snapshot"; filename="snapshot.jpg"\r\nContent-Type: image/jpeg', picture),
    )
    form = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + part + b"\r\n"
        for head, part in parts
    )
    return form + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or until a date; None if it does not."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except ValueError:
        return None


def _picture(message: Message) -> bytes | None:
    try:
        return None if message.snapshot is None else message.snapshot.read_bytes()
    except OSError:  # it was deleted meanwhile
        return None


def _key_of(secret: str, setting: str) -> bytes:
    if not secret.startswith(_BASE64_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_BASE64_PREFIX), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"{setting}: a key that begins with {_BASE64_PREFIX} is base64 behind that") from error
