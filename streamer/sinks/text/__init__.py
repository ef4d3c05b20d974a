"""Tracks as text files: JSON lines, CSV and MOT Challenge."""
