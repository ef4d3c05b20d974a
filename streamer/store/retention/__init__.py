"""Deletes events beyond the limits of the store."""
