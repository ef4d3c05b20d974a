"""Measurements of a file that several processes detect in parts."""
