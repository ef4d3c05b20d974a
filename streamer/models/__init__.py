"""Models: download, cache, checksums and signatures."""
