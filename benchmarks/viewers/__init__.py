"""Live video for viewers: what they cost, and what they leave behind."""
