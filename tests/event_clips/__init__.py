"""Tests of `streamer.clips`; `tests/clips.py` makes media."""
