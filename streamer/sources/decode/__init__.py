"""From a container's packets to upright frames with exact times."""
