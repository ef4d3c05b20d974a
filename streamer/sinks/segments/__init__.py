"""Recordings in segments."""
