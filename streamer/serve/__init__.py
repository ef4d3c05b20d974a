"""A running site: several cameras, the detectors that they share, and what one sees of them."""
