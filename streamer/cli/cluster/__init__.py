"""The commands for several files and several machines."""
