"""Tests of `streamer.store`."""
