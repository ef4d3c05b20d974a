"""From scenes to encoded pictures: encoders, pixel formats, sizes."""
