"""The commands of the group `models`."""
