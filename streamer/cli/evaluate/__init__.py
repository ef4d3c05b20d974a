"""The commands of the group `evaluate`."""
