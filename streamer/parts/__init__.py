"""One file detected in parts, on any number of machines: plan, detect, join."""
