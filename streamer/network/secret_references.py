"""Settings that contain secrets: they name a variable of the environment or a file, and never hold the secret itself.

So settings can be shown, compared and saved. `resolved` reads the secret and registers it, so that no message shows it.
Any thread.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS

_REFERENCE = re.compile(r"\$\{(?:(file):([^}]+)|([A-Za-z_][A-Za-z0-9_]*))\}")
_HOW = "give ${NAME}, a variable of the environment, or ${file:PATH}, the first line of a file"


def _is_secret(value: str) -> str:
    if value and not _REFERENCE.fullmatch(value):
        SECRETS.remember(value)  # so that the message does not show it
        raise ValueError(f"a secret is not written into the settings; {_HOW}")
    return value


def _has_references(value: str) -> str:
    if "${" in _REFERENCE.sub("", value):
        raise ValueError(f"an invalid ${{...}}; {_HOW}")
    return value


SecretText = Annotated[str, AfterValidator(_is_secret)]
"""A password or key: `${NAME}` or `${file:PATH}`; empty for none."""
TextWithSecrets = Annotated[str, AfterValidator(_has_references)]
"""A text in which `${NAME}` and `${file:PATH}` are replaced, such as an address or a header with a token."""


def resolved(text: str, setting: str) -> str:
    """The text with the values of the environment and the first lines of files in place of the references.

    From now on no message contains these values, nor the password of an address. A message about an address shows the
    text itself, with its references, because a token may be a part of the path.

    Args:
        text: a `SecretText` or `TextWithSecrets`.
        setting: its path in the settings, for errors.

    Raises:
        ConfigError: a variable is not set, or a file cannot be read.
    """
    if "://" in text:
        SECRETS.split(text)
    return _REFERENCE.sub(lambda match: _value(match, setting), text)


def _value(match: re.Match[str], setting: str) -> str:
    if match[1]:
        value = _first_line(Path(match[2]), setting)
    else:
        value = os.environ.get(match[3], "")
        if not value:
            raise ConfigError(f"{setting}: the environment has no variable {match[3]}; set it, or use ${{file:PATH}}")
    SECRETS.remember(value)
    _, _, address = value.partition("://")
    SECRETS.remember(address.partition("/")[2])  # the path of an address, where services have their tokens
    return value


def _first_line(file: Path, setting: str) -> str:
    try:
        line = file.read_text(encoding="utf-8").partition("\n")[0].strip("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise ConfigError(f"{setting}: cannot read {file}: {reason}") from error
    if not line:
        raise ConfigError(f"{setting}: the first line of {file} is empty")
    return line
