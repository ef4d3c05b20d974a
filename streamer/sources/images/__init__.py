"""Still images: folders, patterns, HEIF."""
