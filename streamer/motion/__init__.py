"""Optical flow: how the picture moved, and where boxes move with it."""
