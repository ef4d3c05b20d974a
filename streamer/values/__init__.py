"""Frames, colours, labels: values that all other rooms use."""
