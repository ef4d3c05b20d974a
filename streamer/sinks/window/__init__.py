"""A window on the desktop, in a process of its own."""
