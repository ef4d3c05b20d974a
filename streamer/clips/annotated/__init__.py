"""Clips with the boxes drawn."""
