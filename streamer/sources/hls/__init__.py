"""HTTP Live Streaming (RFC 8216): which variant is read, its segments as they come, pictures over discontinuities."""
