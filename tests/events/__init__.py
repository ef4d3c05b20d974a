"""Tests of `streamer.events`."""
