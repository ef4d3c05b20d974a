"""The API of a site: `/api/v1`."""
