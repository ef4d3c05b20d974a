"""The commands of a site with several cameras."""
