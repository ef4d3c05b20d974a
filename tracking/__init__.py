"""Online multi-object tracking on boxes: NumPy and SciPy only, no video, no model, no threads.

Everything here is plain data in, plain data out, owned by whichever thread calls it.
"""

from tracking.types import Carried, Detections, Motion, Origin, Tracker, Tracks

__all__ = ["Carried", "Detections", "Motion", "Origin", "Tracker", "Tracks"]
