"""One run: its outputs, its parts, and running it to the end."""
