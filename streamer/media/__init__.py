"""What sources and sinks share about streams and containers."""
