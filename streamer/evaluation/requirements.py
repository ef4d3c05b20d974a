"""Libraries of the extra `eval`, imported when they are needed. Main thread."""

from __future__ import annotations

import importlib
from typing import Any

from streamer.errors import ConfigError


def need(module: str) -> Any:
    """The module, imported.

    Raises:
        ConfigError: it is not installed; the message has the remedy.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"this needs {error.name}: pip install 'streamer-video[eval]'") from error
