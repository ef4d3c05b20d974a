"""Where scenes go: one file a kind of output, registered in `streamer.registry`."""
