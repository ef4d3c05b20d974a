"""Which frame is shown with which boxes: every frame, now, delayed, detected."""
