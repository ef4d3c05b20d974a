"""From scenes to encoded frames: encoders, pixel formats, sizes."""
