"""The facts that `streamer probe` prints."""
