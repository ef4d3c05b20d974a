"""JSON lines and MOT Challenge text."""
