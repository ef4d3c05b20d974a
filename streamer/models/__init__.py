"""Where model weights come from: cache, checksums, label tables."""
