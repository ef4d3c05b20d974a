"""Still pictures: folders, patterns, HEIF."""
