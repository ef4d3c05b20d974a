"""Where frames come from: one file a kind of source, registered in `streamer.registry`."""
