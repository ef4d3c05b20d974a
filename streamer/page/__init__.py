"""The page of a site: HTML, styles and ES modules."""
