"""One run of the command `run`, or several: options that become rules, inputs, and the report of several inputs."""
