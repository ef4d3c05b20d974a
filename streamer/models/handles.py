"""What the text behind `--detector` and `models fetch` means, before anything is opened. Pure; any thread.

A module is named by its short name, by an http(s) URL (tfhub.dev, Kaggle, or any .tar.gz) or by a path.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from streamer.errors import ModelError

HUB_MODULE = "faster_rcnn_openimages_v4"
"""Faster R-CNN with Inception ResNet V2, trained on Open Images V4, 600 classes: the detector of record."""
HUB_HANDLE = "https://tfhub.dev/google/faster_rcnn/openimages_v4/inception_resnet_v2/1"

_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")
_CREDENTIALS = {"token", "access_token", "auth", "authorization", "apikey", "api_key", "password", "secret", "sig"}
_CREDENTIALS |= {"signature", "expires"}
_SIGNED_BY = ("x-amz-", "x-goog-")  # the signed URLs of Amazon's and Google's storage


@dataclass(frozen=True, slots=True)
class Url:
    """A module at an http(s) address.

    Attributes:
        address: as given; may hold a login, so it is neither shown nor written anywhere.
    """

    address: str = field(repr=False)

    @property
    def shown(self) -> str:
        """The address as it may be shown and written down."""
        return without_login(self.address)

    @property
    def key(self) -> str:
        """Name of the module's folder in a cache: SHA-1 of the handle, hex.

        That is how tensorflow-hub 0.16.1 names it (compressed_module_resolver.py, `_module_dir`), so that a cache can
        be shared with `hub.load`. What logs in is left out first: a new password does not make it another module.
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
    def names_archive(self) -> bool:
        """Whether the address is that of an archive and not of a page that can give one."""
        return urlsplit(self.address).path.lower().endswith(_ARCHIVE_SUFFIXES)


def parse(text: str) -> Url | Path:
    """The module that a text names: an address, or a file or folder that may not exist.

    Raises:
        ModelError: no address that can be asked; one line without login.
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
    """The URL as it may be shown: no user, password or query, which can hold a token."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _is_credential(name: str) -> bool:
    return name.lower() in _CREDENTIALS or name.lower().startswith(_SIGNED_BY)
