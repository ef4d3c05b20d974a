"""Online multi-object tracking on boxes: NumPy and SciPy only, no video, no model, no threads.

Pure functions and plain classes; each instance is used by one thread.
"""

from tracking.types import Carried, Detections, Motion, Origin, Tracker, Tracks

__all__ = ["Carried", "Detections", "Motion", "Origin", "Tracker", "Tracks"]
