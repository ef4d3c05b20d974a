"""What a route delivers to the display thread: a frame that arrived, the result of a detector, or the time to show a
frame that arrived before.

With an overlay that shows every frame, a detected frame is delivered twice: as `Arrived`, then as `Detected`.
Immutable; any thread may read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.errors import DetectorError
from streamer.values.frame import Frame
from tracking.types import Detections


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A frame that is due for display and has no detector result yet.

    Attributes:
        frame: the frame.
        due_s: when it was due, on the clock of `Frame.captured_s`; 0 for immediately.
        late: it is overdue and other frames wait behind it: skip expensive work.
    """

    frame: Frame
    due_s: float = 0.0
    late: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Detected:
    """The result of a detector for one frame: detections, or an error.

    Attributes:
        frame: the frame.
        detections: None if the detector failed.
        error: None if it succeeded.
        detect_s: duration of the detection, seconds.
        done_s: when it ended, on the clock of `Frame.captured_s`.
    """

    frame: Frame
    detections: Detections | None = None
    error: DetectorError | None = None
    detect_s: float = 0.0
    done_s: float = 0.0

    @property
    def error_cause(self) -> str:
        """The cause that the frame ledger records for a failure; empty if the detector succeeded."""
        return "" if self.error is None else self.error.cause


@dataclass(frozen=True, slots=True, eq=False)
class DisplayDue:
    """A frame that was held back is due for display.

    Attributes:
        at_s: since when, on the clock of `Frame.captured_s`.
    """

    at_s: float


Delivery = Arrived | Detected | DisplayDue
