"""Accuracy of displayed boxes while a slow detector works."""
