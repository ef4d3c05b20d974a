"""Live sources: connecting, reconnecting, reading without waiting for anybody."""
