"""Which frames of a live stream are damaged or missing."""
