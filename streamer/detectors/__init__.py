"""What finds objects on a frame: one file a kind of detector, registered in `streamer.registry`."""
