"""Settings: the sections, their defaults, and how they are read."""
