"""What the site does: figures once a second, the system, the log."""
