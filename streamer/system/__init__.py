"""The process and its machine: paths, secrets, signals, standard streams, unfinished files."""
