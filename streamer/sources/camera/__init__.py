"""Webcams."""
