"""What is wrong with settings, found without opening a source or an output; and whether the sources answer."""
