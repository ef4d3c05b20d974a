"""The live video of the cameras for any number of viewers."""
