"""Settings of what is reported about a camera itself: lost, covered, moved.

A loss is timed by the clock of the program, as there are no frames. A covered or moved camera is timed by media time.
Any thread may read the settings.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamer.config.section import Section

CAMERA_RULE = "camera"
"""`Event.rule` of events about a camera itself."""


class CameraWatchSettings(Section):
    """When a camera counts as lost, covered or moved. A duration of null turns that off."""

    when: Literal["live", "always", "never"] = "live"
    """`live`: for live sources. `always`: also for files, such as recordings, where a cut counts as moved."""
    lost_s: float | None = Field(default=10.0, ge=0, le=3600)
    """After so long without a frame the camera is lost, seconds; it is back with the next frame."""
    covered_s: float | None = Field(default=10.0, ge=1, le=3600)
    """After so long without details the camera is covered, seconds of media time: by a hand or cloth, blinded by a
    light, out of focus."""
    covered_share: float = Field(default=0.25, gt=0, lt=1)
    """The picture has no details if it has less than this share of its usual ones."""
    moved_s: float | None = Field(default=10.0, ge=1, le=3600)
    """After so long with another view the camera has moved, seconds of media time."""
    moved_share: float = Field(default=0.02, gt=0, lt=1)
    """The least shift of the view that counts, as a share of the width of the picture."""

    @property
    def delay_s(self) -> float:
        """How long after its start a covered or moved camera is certain, seconds."""
        return 0.0 if self.when == "never" else max(self.covered_s or 0.0, self.moved_s or 0.0)

    def watches(self, *, live: bool) -> bool:
        """Whether a source is watched.

        Args:
            live: it is a live source, or a file that is played in real time.
        """
        return self.when == "always" or (self.when == "live" and live)
