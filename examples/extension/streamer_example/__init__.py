"""Features for Streamer, one of each kind; pyproject.toml registers them."""
