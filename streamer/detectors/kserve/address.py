"""The address of a model on a server: `kserve+http://HOST:PORT/v2/models/NAME`, perhaps with `/versions/VERSION`.

The paths are those of the Open Inference Protocol
(https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol). Pure; any thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS, redacted

SCHEMES = ("kserve+http://", "kserve+https://")
PREFIX = "kserve+"
EXAMPLE = "kserve+http://HOST:8000/v2/models/NAME"
_MODEL = re.compile(r"(?P<base>(?:/[^/]+)*?/v2)/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?/?")


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Where a model is.

    Attributes:
        server: the address of the server's own metadata, `http://host:8000/v2`; without a login.
        path: of the model behind it, percent-encoded: `/models/NAME` or `/models/NAME/versions/VERSION`.
        name: of the model.
        version: empty for the one that the server chooses.
        user, password: of the address; empty if it has none.
    """

    server: str
    path: str
    name: str
    version: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that a user typed; from now on no message contains its password.

        Raises:
            ConfigError: it is no such address.
        """
        address, user, password = SECRETS.split(text)
        wrong = f"{redacted(text)} is no address of a model on a server: give {EXAMPLE}"
        try:
            parts = urlsplit(address.partition("+")[2])
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(wrong) from error
        found = _MODEL.fullmatch(parts.path)
        if not host or found is None or not address.lower().startswith(SCHEMES):
            raise ConfigError(wrong)
        if parts.query or parts.fragment:
            raise ConfigError(f"{redacted(text)} ends in ? or #, which models on servers do not have: give {EXAMPLE}")
        path = parts.path.removeprefix(found["base"]).rstrip("/")
        version = unquote(found["version"] or "")
        server = f"{parts.scheme.lower()}://{parts.netloc}{found['base']}"
        return cls(server, path, unquote(found["name"]), version, user, password)

    @property
    def model(self) -> str:
        """The address of the model, for requests and messages."""
        return f"{self.server}{self.path}"

    def __str__(self) -> str:
        return self.model
