"""Whether a part is complete already, so that it need not be detected again. Main thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamer.errors import ConfigError, SourceUnavailable
from streamer.parts.part_file import OtherVersion, looks_like_part, read_part
from streamer.parts.plan import Part, Plan
from streamer.system import paths


def is_complete(path: Path, plan: Plan, part: Part, *, say: Callable[[str], None] = lambda _: None) -> bool:
    """Whether a file is a part of a plan. A truncated or damaged one is made again.

    Args:
        path: of the file.
        plan, part: what it must be.
        say: gets one line about a damaged file.

    Raises:
        SourceUnavailable: the file cannot be read.
        ConfigError: it is another part, one of another version, or something else, which must not be replaced.
    """
    if not paths.exists(path):
        return False
    try:
        found = read_part(path)
    except OtherVersion:
        raise
    except ConfigError:
        try:
            is_damaged = looks_like_part(path)
        except OSError as error:
            raise SourceUnavailable(f"cannot read {path}: {error.strerror}") from error
        if not is_damaged:
            raise ConfigError(f"{path} exists and is no part; choose another output") from None
        say(f"{path} is truncated or damaged; it is made again")
        return False
    if found.plan_digest != plan.digest:
        raise ConfigError(f"{path} is part {found.number} of another plan; choose another output, or delete it")
    if found.number != part.number:
        raise ConfigError(f"{path} is part {found.number}, not part {part.number}; choose another output")
    return True
