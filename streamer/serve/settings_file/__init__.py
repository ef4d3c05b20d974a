"""The settings file of a site, as the page shows and changes it."""
