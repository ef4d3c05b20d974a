"""Cameras and files over HTTP."""
