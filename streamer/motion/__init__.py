"""Optical flow between frames, and boxes moved by it."""
