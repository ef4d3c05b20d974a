"""What `streamer probe` tells of a source."""
