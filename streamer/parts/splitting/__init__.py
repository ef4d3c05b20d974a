"""How a video is split: its packets, and where decoders can begin."""
