"""The module that `--detector` and `models fetch` name: its address or path, and its key in a cache. Any thread.

A module is named by its short name, by an http(s) URL (tfhub.dev, Kaggle, or any .tar.gz) or by a path.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from streamer.errors import ModelError

HUB_MODULE = "faster_rcnn_openimages_v4"
"""Faster R-CNN with Inception ResNet V2, trained on Open Images V4: the high-accuracy model.

Its label map has 601 classes; its page says 600."""
HUB_HANDLE = "https://tfhub.dev/google/faster_rcnn/openimages_v4/inception_resnet_v2/1"

_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")
_CREDENTIALS = {"token", "access_token", "auth", "authorization", "apikey", "api_key", "password", "secret", "sig"}
_CREDENTIALS |= {"signature", "expires"}
_SIGNED_BY = ("x-amz-", "x-goog-")  # the signed URLs of Amazon's and Google's storage


@dataclass(frozen=True, slots=True)
class Url:
    """A module at an http(s) address.

    Attributes:
        address: as given; may have a login, so it is never shown or written.
    """

    address: str = field(repr=False)

    @property
    def shown(self) -> str:
        """The address without login and query."""
        return without_login(self.address)

    @property
    def key(self) -> str:
        """Name of the module's folder in a cache: SHA-1 of the handle, hex.

        tensorflow-hub 0.16.1 uses the same name (compressed_module_resolver.py, `_module_dir`), so that a cache can be
        shared with `hub.load`. Logins are removed first: a module with a new password is the same module.
        """
        parts = urlsplit(self.address)
        host = parts.netloc.rpartition("@")[2]
        query = parse_qsl(parts.query, keep_blank_values=True)
        identity = self.address
        if host != parts.netloc or any(_is_credential(name) for name, _ in query):
            kept = urlencode([(name, value) for name, value in query if not _is_credential(name)])
            identity = urlunsplit((parts.scheme, host, parts.path, kept, parts.fragment))
        return hashlib.sha1(identity.encode(), usedforsecurity=False).hexdigest()

    @property
    def archive_address(self) -> str:
        """The address of the archive: a page gives its archive for a parameter that tensorflow-hub defines.

        The address of an archive stays as it is: a signed one would not be valid with another parameter.
        """
        parts = urlsplit(self.address)
        if parts.path.lower().endswith(_ARCHIVE_SUFFIXES):
            return self.address
        return urlunsplit(parts._replace(query=f"{parts.query}&tf-hub-format=compressed".lstrip("&")))


def parse(text: str) -> Url | Path:
    """The module that a text names: an address, or a file or folder, which may not exist.

    Raises:
        ModelError: an address that cannot be used; one line without login.
    """
    if text == HUB_MODULE:
        return Url(HUB_HANDLE)
    scheme, separator, _ = text.partition("://")
    if not separator:
        return Path(text).expanduser()
    try:
        host = urlsplit(text).hostname
        urlsplit(text).port  # noqa: B018 - raises on what is no number
    except ValueError as error:
        raise ModelError(f"the address of the module ({scheme}://...) is no URL; see docs/models.md") from error
    if scheme.lower() not in ("http", "https"):
        raise ModelError(f"{without_login(text)} cannot be fetched: only http(s) URLs, .tar.gz files and folders can")
    if not host:
        raise ModelError(f"{without_login(text)} names no host; a handle looks like {HUB_HANDLE}")
    return Url(text)


def without_login(url: str) -> str:
    """The URL without user, password and query, which may have a token. The path may have an @, as npm's scopes do."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _is_credential(name: str) -> bool:
    return name.lower() in _CREDENTIALS or name.lower().startswith(_SIGNED_BY)
