"""The module that `--detector` and `models fetch` name: its address or path, and its key in a cache. Any thread.

A module is named by its short name, by an http(s) URL (tfhub.dev, Kaggle, or any .tar.gz) or by a path.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from streamer.errors import ModelError

HUB_MODULE = "faster_rcnn_openimages_v4"
"""Faster R-CNN with Inception ResNet V2, trained on Open Images V4: the high-accuracy model.

Its label map has 601 classes; its page says 600."""
HUB_HANDLE = "https://tfhub.dev/google/faster_rcnn/openimages_v4/inception_resnet_v2/1"

_SERVED = ("kserve+http", "kserve+https", "ray")
"""Schemes of detectors that run on another machine."""
_MODEL_ON_A_SERVER = re.compile(r"https?://[^/]*/([^?#]*/)?v2/models/|(kserve|triton|grpcs?)(\+\w+)?://", re.IGNORECASE)
_ON_A_SERVER = "kserve+http://HOST:8000/v2/models/NAME, by HTTP and not gRPC"
_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")
_ARCHIVE_PARAMETER = ("tf-hub-format", "compressed")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HOSTS = re.compile(r"((www\.)?kaggle\.com|tfhub\.dev)/.+", re.IGNORECASE)
_KAGGLE_MODEL = re.compile(
    r"[\w.-]+/[\w.-]+/(tensorflow[12]?|tf[12]|keras|pytorch|tflite|tfjs)/[\w.-]+(/\d+)?", re.IGNORECASE
)
_WINDOWS_PATH = re.compile(r"(?P<drive>[A-Za-z]):[\\/]+(?P<rest>.*)|\\\\.*")
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
        shared with `hub.load`. Logins are removed first: a module with a new password is the same module. So are other
        spellings of one address.
        """
        return _key(self.normal)

    @property
    def key_as_given(self) -> str:
        """The name that `hub.load` gives the folder for exactly this address."""
        return _key(self.address)

    @property
    def normal(self) -> str:
        """The one spelling of the address, without login.

        Scheme and host in lower case (RFC 3986, section 6.2.2), without the default port, a slash at the end, a
        fragment, and the parameter that asks a page for its archive.
        """
        parts = urlsplit(self.address)
        scheme = parts.scheme.lower()
        host = parts.netloc.rpartition("@")[2].lower().removesuffix(_DEFAULT_PORTS.get(scheme, ":"))
        query = parse_qsl(parts.query, keep_blank_values=True)
        kept = [(name, value) for name, value in query if not _is_credential(name) and name != _ARCHIVE_PARAMETER[0]]
        text = parts.query if kept == query else urlencode(kept)
        return urlunsplit((scheme, host, parts.path.rstrip("/"), text, ""))

    @property
    def archive_address(self) -> str:
        """The address of the archive: a page gives its archive for a parameter that tensorflow-hub defines.

        The address of an archive stays as it is: a signed one would not be valid with another parameter.
        """
        parts = urlsplit(self.address)
        if parts.path.lower().endswith(_ARCHIVE_SUFFIXES):
            return self.address
        if _ARCHIVE_PARAMETER in parse_qsl(parts.query):
            return self.address
        return urlunsplit(parts._replace(query=f"{parts.query}&{'='.join(_ARCHIVE_PARAMETER)}".lstrip("&")))


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
    if _MODEL_ON_A_SERVER.match(text) and not text.lower().endswith(_ARCHIVE_SUFFIXES):
        raise ModelError(f"{without_login(text)} is no module to fetch; a model on a server is {_ON_A_SERVER}")
    if scheme.lower() not in ("http", "https"):
        raise ModelError(f"{without_login(text)} cannot be fetched: only http(s) URLs, .tar.gz files and folders can")
    if not host:
        raise ModelError(f"{without_login(text)} names no host; a handle looks like {HUB_HANDLE}")
    return Url(text)


def is_served(text: str) -> bool:
    """Whether a text names a detector on another machine, which has no file here."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.casefold() in _SERVED


def hint(text: str) -> str:
    """What a text that names no file probably means, with the remedy; "" if that is not known."""
    if _HOSTS.fullmatch(text):
        return f"write the address with its scheme: https://{text}"
    if _KAGGLE_MODEL.fullmatch(text):
        return f"a model of Kaggle is named by its address: https://www.kaggle.com/models/{text}"
    if os.name != "nt" and (match := _WINDOWS_PATH.fullmatch(text)):
        rest = (match["rest"] or "").replace("\\", "/")
        drive = f", in WSL as /mnt/{match['drive'].lower()}/{rest}" if match["drive"] else ""
        return f"this is a path of Windows; name the file as this system does{drive}"
    return ""


def _key(identity: str) -> str:
    return hashlib.sha1(identity.encode(), usedforsecurity=False).hexdigest()


def without_login(url: str) -> str:
    """The URL without user, password and query, which may have a token. The path may have an @, as npm's scopes do."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _is_credential(name: str) -> bool:
    return name.lower() in _CREDENTIALS or name.lower().startswith(_SIGNED_BY)
