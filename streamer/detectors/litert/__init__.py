"""The small detectors that LiteRT runs, and what they share with other detectors."""
