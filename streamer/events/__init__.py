"""From the events of a stream to the store, to clips and snapshots, and to alerts."""
