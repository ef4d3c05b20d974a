"""The commands of the group `events`."""
