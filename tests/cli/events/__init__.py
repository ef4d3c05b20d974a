"""Tests of `streamer events`."""
