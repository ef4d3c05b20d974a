"""Settings of events that are stored: the folder, clips, snapshots and what is kept. Any thread may read them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from streamer.config.section import Section


class ClipSettings(Section):
    """The clip of each event: a copy of the camera's own packets, which are not encoded again."""

    enabled: bool = True
    before_s: float = Field(default=5.0, ge=0, le=120)
    """How long before the event a clip begins; the keyframe before that is the first frame."""
    after_s: float = Field(default=5.0, ge=0, le=600)
    """How long behind the event a clip ends."""
    max_s: float = Field(default=300.0, gt=0)
    """The longest clip. That of a longer event ends there, and the event says so."""
    memory_mb: float = Field(default=64.0, gt=0)
    """The limit of the packets that one camera keeps in memory."""
    annotated: bool = False
    """Also make a clip with the boxes drawn."""


class SnapshotSettings(Section):
    """The best picture of each event: the whole frame, and a crop of the object."""

    enabled: bool = True
    boxes: bool = False
    """Draw the boxes on the whole frame."""
    crop: bool = True
    quality: int = Field(default=85, ge=1, le=100)
    """Of the JPEG files."""


class EventSettings(Section):
    """What is kept of each event of a camera besides its row."""

    clip: ClipSettings = ClipSettings()
    snapshot: SnapshotSettings = SnapshotSettings()


class StoreSettings(Section):
    """Where events are kept, and for how long. Favourites are kept always."""

    folder: Path | None = None
    """Has the database, clips and snapshots. null: events are not stored."""
    keep_days: float | None = Field(default=14.0, gt=0)
    """Older events are deleted, with their files."""
    keep_gb: float | None = Field(default=None, gt=0)
    """The oldest events are deleted beyond this size of their files."""
    min_free_gb: float = Field(default=1.0, ge=0)
    """The oldest events are deleted while the disk has less free space."""
