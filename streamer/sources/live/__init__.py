"""Live sources: connecting, reconnecting, and reading without blocking the pipeline."""
