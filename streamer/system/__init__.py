"""The process and its machine: paths, secrets, signals, standard streams, files in progress."""
