"""The store for commands, while another program may write to it."""
