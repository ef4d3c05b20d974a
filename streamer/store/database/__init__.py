"""The database file: its folder, its connections and the thread that writes."""
