"""Models whose file is known by checksum: npm packages with weights, and their conversion to LiteRT models."""
