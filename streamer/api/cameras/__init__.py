"""The cameras of a site: list, add, change, remove, restart, rules, probe."""
