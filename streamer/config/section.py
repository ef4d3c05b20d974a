"""What every section of settings is: values that are checked when they are made and never change afterwards."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the settings. A feature that the project does not know brings a section of its own.

    An unknown key is refused, and nothing can be assigned afterwards, so any thread may read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def ffmpeg_text(value: object) -> object:
    """A number, yes or no of YAML as FFmpeg writes it; anything else as it is."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value
