"""The parts of a file detected by workers on a Ray cluster."""
