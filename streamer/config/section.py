"""The base class of every section of settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Settings that are checked when they are created and never change, so any thread may read them.

    Unknown keys are refused. A feature of another package may define a section of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def ffmpeg_text(value: object) -> object:
    """A YAML number or boolean as FFmpeg writes it; other values unchanged."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value
