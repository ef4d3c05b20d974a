"""Streams and containers: code shared by sources and sinks."""
