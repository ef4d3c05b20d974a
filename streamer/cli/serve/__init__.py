"""The commands of a site."""
